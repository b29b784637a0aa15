/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../image/store-internal.h"
#include "member-spool.h"

/*
 * What an archive wants to be in the store: read from manifest.json (docker-archive) or index.json (OCI
 * layout), with every digest of a small blob checked. Layers' diff-ids are checked when they are unpacked.
 */
typedef struct PlanLayer {
        char diff_id[DIGEST_HEX + 1];
        const SpoolMember *member;
} PlanLayer;

typedef struct PlanImage {
        char hex[DIGEST_HEX + 1]; /* digest of the configuration */
        char *config;
        size_t config_size;
        char **tags; /* canonical references */
        PlanLayer *layers;
        size_t n_layers;
} PlanImage;

typedef struct ArchivePlan {
        PlanImage *images;
        size_t n;
        char *error; /* after a failure: text for the user */
} ArchivePlan;

void archive_plan_done(ArchivePlan *p);
#define _cleanup_archive_plan_ _cleanup_(archive_plan_done)

/* Return: 0, -EBADMSG with p->error, -errno. @architecture: of the images to choose among, as OCI names it.
 */
int archive_plan_make(ArchivePlan *p, const MemberSpool *s, const char *architecture);
const char *host_architecture(void);

/* The parts, also for tests and fuzzing: they only read. */
int plan_fail(ArchivePlan *p, const char *fmt, ...) _printf_(2, 3);
int plan_docker(ArchivePlan *p, const MemberSpool *s, const char *manifest, size_t size);
int plan_oci(ArchivePlan *p, const MemberSpool *s, const char *index, size_t size, const char *architecture);
PlanImage *plan_add_image(ArchivePlan *p);
int plan_add_tag(ArchivePlan *p, PlanImage *i, const char *ref);
/* Takes the configuration @config (consumed) and sets hex and the layers' diff-ids; there must be @n_layers.
 */
int plan_set_config(ArchivePlan *p, PlanImage *i, char *config, size_t size, size_t n_layers);
/* Checks a member called blobs/sha256/<hex> against its name. */
int plan_check_blob_name(ArchivePlan *p, const SpoolMember *m);
