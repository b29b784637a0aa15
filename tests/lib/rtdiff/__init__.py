# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same bundles through several OCI runtimes: cases, how they are run and compared, intended differences."""
