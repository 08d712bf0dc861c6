// What a forest is, its segments, and the buffers that its log-probabilities and gradients are computed in.
#include "attention.h"
#include "fuse.h"

struct model {
  struct shape shape;
  const float *weights, *packed;
  const float *cosine, *sine;  // (positions, channels / 2)
};

struct forest {
  int64_t nodes, pairs;
  const int32_t *tokens, *positions;  // (nodes)
  const int32_t *from, *to;           // (pairs): the log-probability of token `to` after node `from` is wanted
};

// What a forward pass leaves to the backward pass, and the buffers of both.
struct space {
  float *memory;
  size_t capacity;
  int32_t *numbers;
  size_t number_capacity;
  struct segment *segments;
  int32_t *kept, *row;  // nodes that the last layer goes on with, and the row of each such node
  char *loaded;
  int count, rows, longest;
  int64_t weights;  // attention weights of a layer
  float *x, *dx, *dqkv, *dmixed, *act, *dact, *act_back, *dy, *panels, *final, *final_scale, *chances, *layers;
  struct stack stack;
};

// One layer's part of `layers`.
struct kept {
  float *normed, *scale, *qkv, *weights, *mixed, *normed2, *scale2, *gate_up;
};

struct space *space_new(void) { return calloc(1, sizeof(struct space)); }

// Segments of a forest: runs of consecutive positions that no other token branches off from the middle of.
static int find_segments(const struct forest *f, const struct shape *m, struct space *s) {
  int n = (int)f->nodes, longest = 0;
  for (int i = 0; i < n; i++) longest = f->positions[i] >= longest ? f->positions[i] + 1 : longest;
  size_t needed = ((size_t)n * sizeof *s->segments + n) / 4 + 5 * (size_t)n + longest + 64;
  if (needed > s->number_capacity) {
    free(s->numbers);
    s->number_capacity = needed + needed / 4;
    if (!(s->numbers = malloc(s->number_capacity * 4))) return s->number_capacity = 0, 1;
  }
  s->segments = (struct segment *)s->numbers;
  int32_t *heads = (int32_t *)(s->segments + n), *owner = heads + n + 1, *wanted = owner + n, *path = wanted + n;
  s->kept = path + longest;
  s->loaded = (char *)(s->kept + n);
  memset(heads, 0, (n + 1) * sizeof *heads);
  memset(wanted, 0, n * sizeof *wanted);
  for (int i = 0; i < n; i++) {
    int p = f->positions[i];
    if (!p) heads[i] = 1;
    else if (!i || p != f->positions[i - 1] + 1) heads[i] = heads[path[p - 1] + 1] = 1;
    path[p] = i;
  }
  for (int64_t i = 0; i < f->pairs; i++) wanted[f->from[i]] = 1;
  s->count = s->rows = 0, s->longest = longest;
  int64_t weights = 0;
  for (int i = 0, end; i < n; i = end) {
    int p = f->positions[i];
    for (end = i + 1; end < n && !heads[end]; end++) {}
    struct segment *g = &s->segments[s->count];
    *g = (struct segment){i, end - i, p, p ? owner[path[p - 1]] : -1, 0, s->rows, weights};
    while (g->first < g->length && !wanted[i + g->first]) g->first++;
    for (int j = i; j < end; j++) path[p + j - i] = j, owner[j] = s->count;
    for (int j = i + g->first; j < end; j++) wanted[j] = s->rows, s->kept[s->rows++] = j;
    weights += (int64_t)m->heads * g->length * reach(g);
    s->count++;
  }
  s->weights = weights, s->row = wanted;
  return 0;
}

static struct heads heads(const struct model *m, const struct space *s) {
  return (struct heads){m->shape.heads, m->shape.kv_heads, m->shape.channels, (s->longest + PANEL - 1) / PANEL * PANEL};
}

// Cut `sizes` floats each from one piece of memory that grows and is used again; 1 where there is not enough.
static int cut(struct space *s, const size_t *sizes, float ***to, int count) {
  size_t total = 0;
  for (int i = 0; i < count; i++) total += (sizes[i] + PANEL + 2 * LANES - 1) / LANES * LANES;  // tiles read beyond
  if (total > s->capacity) {
    free(s->memory);
    s->capacity = total + total / 4;
    if (!(s->memory = allocate(s->capacity))) return s->capacity = 0, 1;
  }
  float *at = s->memory;
  for (int i = 0; i < count; i++) *to[i] = at, at += (sizes[i] + PANEL + 2 * LANES - 1) / LANES * LANES;
  return 0;
}

static size_t kept_size(const struct model *m, const struct space *s, int64_t nodes, struct kept *k, float *at) {
  const struct shape *h = &m->shape;
  size_t n = nodes, all = (size_t)(h->heads + 2 * h->kv_heads) * h->channels, used = 0;
  size_t sizes[] = {n * h->hidden,           n, n * all, s->weights, n * h->heads * h->channels, n * h->hidden, n,
                    n * 2 * (size_t)h->ffn};
  float **to[] = {&k->normed, &k->scale, &k->qkv, &k->weights, &k->mixed, &k->normed2, &k->scale2, &k->gate_up};
  for (int i = 0; i < 8; i++) {
    if (at) *to[i] = at + used;
    used += (sizes[i] + PANEL + 2 * LANES - 1) / LANES * LANES;
  }
  return used;
}

static int plan(const struct model *m, const struct forest *f, struct space *s, int train) {
  if (find_segments(f, &m->shape, s)) return 1;
  const struct shape *h = &m->shape;
  struct heads k = heads(m, s);
  size_t n = f->nodes, d = h->hidden, width = (size_t)h->heads * h->channels, r = s->rows, v = padded(h->vocabulary);
  size_t layers = kept_size(m, s, n, NULL, NULL) * (train ? h->layers : 1), kv = h->kv_heads;
  int largest = h->ffn > h->hidden ? h->ffn : h->hidden;
  largest = (int)width > largest ? (int)width : largest;
  size_t square = (size_t)s->longest * padded(s->longest), back = train;
  size_t sizes[] = {n * d, back * n * d, back * n * (width + 2 * kv * h->channels), back * n * width,
                    (size_t)BLOCK * h->ffn, back * BLOCK * h->ffn, back * BLOCK * 2 * h->ffn, (size_t)BLOCK * d,
                    back * packed_size(BLOCK, largest), r * d, 2 * r,
                    r * v, layers, kv * rows_size(&k),
                    kv * turned_size(&k), back * kv * rows_size(&k), back * kv * rows_size(&k), back * square};
  float **to[] = {&s->x, &s->dx, &s->dqkv, &s->dmixed, &s->act, &s->dact, &s->act_back, &s->dy,
                  &s->panels, &s->final, &s->final_scale, &s->chances,
                  &s->layers, &s->stack.rows, &s->stack.turned, &s->stack.gradient_k, &s->stack.gradient_v,
                  &s->stack.scores};
  return cut(s, sizes, to, sizeof sizes / sizeof *sizes);
}

static struct kept layer_kept(const struct model *m, const struct forest *f, const struct space *s, int layer) {
  struct kept k;
  size_t one = kept_size(m, s, f->nodes, NULL, NULL);
  kept_size(m, s, f->nodes, &k, s->layers + layer * one);
  return k;
}
