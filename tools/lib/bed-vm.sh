# SPDX-License-Identifier: LGPL-2.1-or-later
# Bed 2: the same root file system in a virtual machine. Sourced by tools/bed.
