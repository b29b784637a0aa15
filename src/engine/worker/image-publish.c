/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image-publish.h"

#include "../../basic/fd.h"
#include "../../basic/str.h"
#include "../image/blob.h"

static int layer_size(ImageStore *s, LayerJobs *jobs, const char *diff_id, uint64_t *ret) {
        const LayerJob *job = layer_jobs_find(jobs, diff_id);

        if (job) {
                *ret = job->size;
                return 0;
        }
        return image_known_layer_size(s, diff_id, ret);
}

static int publish_layers(ImageStore *s, LayerJobs *jobs) {
        for (size_t i = 0; i < jobs->n; i++) {
                int r = layer_publish(s, jobs->staging, jobs->items[i].name, jobs->items[i].diff_id);

                /* Somebody else was first with the same content, or this is another try and we were. */
                if (r < 0 && r != -EEXIST && r != -ENOTEMPTY &&
                    !(r == -ENOENT && layer_exists(s, jobs->items[i].diff_id)))
                        return r;
        }
        return 0;
}

static int publish_image(ImageStore *s, const PlanImage *i, LayerJobs *jobs) {
        _cleanup_free_ ImageLayer *layers = new0(ImageLayer, i->n_layers + 1);
        int r = 0;

        if (!layers)
                return -ENOMEM;
        for (size_t k = 0; r >= 0 && k < i->n_layers; k++) {
                memcpy(layers[k].hex, i->layers[k].diff_id, sizeof(layers[k].hex));
                r = layer_size(s, jobs, i->layers[k].diff_id, &layers[k].size);
        }
        if (r < 0)
                return r == -ENOENT ? -EAGAIN : r;
        r = blob_write(s, i->hex, i->config, i->config_size);
        return r < 0 ? r : image_record_write(s, i->hex, layers, i->n_layers);
}

/* Do the layers that were not unpacked now still exist? The collector may have been there since we looked.
 */
static bool layers_exist(ImageStore *s, const ArchivePlan *p, LayerJobs *jobs) {
        for (size_t k = 0; k < p->n; k++)
                for (size_t n = 0; n < p->images[k].n_layers; n++)
                        if (!layer_jobs_find(jobs, p->images[k].layers[n].diff_id) &&
                            !layer_exists(s, p->images[k].layers[n].diff_id))
                                return false;
        return true;
}

static int publish_tags(ImageStore *s, const PlanImage *i, replaced_t replaced, void *userdata) {
        for (char **t = i->tags; *t; t++) {
                char old[DIGEST_HEX + 1];
                int r;

                if (replaced && ref_get(s, *t, old) >= 0 && !streq(old, i->hex) && image_exists(s, old))
                        replaced(userdata, *t, old);
                r = ref_set(s, *t, i->hex);
                if (r < 0)
                        return r;
        }
        return 0;
}

/** image_publish - see image-publish.h. */
int image_publish(ImageStore *s, const ArchivePlan *p, LayerJobs *jobs, replaced_t replaced,
                  void *userdata) {
        _cleanup_close_ int lock = -EBADF;
        int r;

        /* The layers' data must be on disk before anything names them; one flush of the file system covers
         * them all. */
        if (jobs->n > 0 && syncfs(jobs->staging->fd) < 0)
                return negative_errno();
        r = store_lock(s, STORE_PUBLISH, &lock);
        if (r < 0)
                return r;
        if (!layers_exist(s, p, jobs))
                return -EAGAIN;
        r = publish_layers(s, jobs);
        for (size_t k = 0; r >= 0 && k < p->n; k++)
                r = publish_image(s, &p->images[k], jobs);
        for (size_t k = 0; r >= 0 && k < p->n; k++)
                r = publish_tags(s, &p->images[k], replaced, userdata);
        return r;
}
