/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Fixed places; see docs/contracts.md section 1. */
#define BERTH_STATE_DIR "/var/lib/berth"
#define BERTH_CONTAINERS_DIR BERTH_STATE_DIR "/containers"
#define BERTH_NAMES_DIR BERTH_STATE_DIR "/names"
#define BERTH_TRASH_DIR BERTH_STATE_DIR "/trash"
#define BERTH_LAYERS_DIR BERTH_STATE_DIR "/layers"
#define BERTH_BLOBS_DIR BERTH_STATE_DIR "/blobs/sha256"
#define BERTH_IMAGES_DIR BERTH_STATE_DIR "/images"
#define BERTH_REFS_DIR BERTH_IMAGES_DIR "/refs"
#define BERTH_VOLUMES_DIR BERTH_STATE_DIR "/volumes"
#define BERTH_NETWORKS_DIR BERTH_STATE_DIR "/networks"

#define BERTH_RUN_DIR "/run/berth"
#define BERTH_RUN_CONTAINERS_DIR BERTH_RUN_DIR "/containers"
#define BERTH_SOCKET BERTH_RUN_DIR "/berth.sock"
#define BERTH_ENGINE_SOCKET BERTH_RUN_DIR "/engine.sock"
#define BERTH_NETD_SOCKET BERTH_RUN_DIR "/netd.sock"
#define BERTH_RUNTIME_ROOT BERTH_RUN_DIR "/runtime"

#define BERTH_SLICE "berth.slice"
#define CONTAINER_ID_LENGTH 64
#define CONTAINER_SHORT_ID_LENGTH 12
