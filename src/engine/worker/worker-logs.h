/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "worker.h"

int worker_logs(Worker *w, int argc, char *argv[]);
