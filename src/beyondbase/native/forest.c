// Log-probabilities of the tokens of a forest and the gradient of a loss of them: see policy/native_forest.py.
//
// A forest is tokens in preorder with their positions: a token's context is, below it, the latest token of every
// smaller position. Texts in a row are a forest of trees without branches; texts that begin alike share what they share.
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

// Each matrix twice: packed for y = x w^T and for dx = dy w.
struct matrix {
  size_t weights;
  int outputs, inputs;
};

static int matrices(const struct shape *s, int layer, struct matrix *m) {
  struct offsets o = offsets(s);
  int d = s->hidden, width = s->heads * s->channels, all = width + 2 * s->kv_heads * s->channels;
  if (layer == s->layers) return m[0] = (struct matrix){o.output, s->vocabulary, d}, 1;
  size_t at = o.layer + layer * o.stride;
  m[0] = (struct matrix){at, all, d}, m[1] = (struct matrix){at + o.out, d, width};
  m[2] = (struct matrix){at + o.gate_up, 2 * s->ffn, d}, m[3] = (struct matrix){at + o.down, d, s->ffn};
  return 4;
}

struct both {
  struct panels forward, back;
};

// Packed panels of one layer's matrices (of the output matrix where layer is their number); written where `to` is given.
static size_t prepared(const struct shape *s, int layer, const float *from, float *to, const float *at, struct both *b) {
  struct matrix m[4];
  size_t used = 0;
  for (int i = 0, n = matrices(s, layer, m); i < n; i++) {
    size_t one = packed_size(m[i].inputs, m[i].outputs), two = packed_size(m[i].outputs, m[i].inputs);
    if (to) {
      pack(from + m[i].weights, 1, m[i].inputs, m[i].inputs, m[i].outputs, to + used);
      pack(from + m[i].weights, m[i].inputs, 1, m[i].outputs, m[i].inputs, to + used + one);
    }
    if (b) b[i] = (struct both){packed(at + used, m[i].inputs), packed(at + used + one, m[i].outputs)};
    used += one + two;
  }
  return used;
}

int64_t weights_size(const struct shape *s) { return (int64_t)offsets(s).end; }

int64_t packed_weights_size(const struct shape *s) {
  return (int64_t)(s->layers * prepared(s, 0, NULL, NULL, NULL, NULL) + prepared(s, s->layers, NULL, NULL, NULL, NULL));
}

void pack_weights(const struct shape *s, const float *weights, float *packed) {
  for (int l = 0; l <= s->layers; l++) packed += prepared(s, l, weights, packed, NULL, NULL);
}

static void layer_panels(const struct model *m, int layer, struct both *b) {
  size_t one = prepared(&m->shape, 0, NULL, NULL, NULL, NULL);
  prepared(&m->shape, layer, NULL, NULL, m->packed + layer * one, b);
}

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
  size_t sizes[] = {n * h->hidden, n, n * all, s->weights, n * h->heads * h->channels, n * h->hidden, n, n * 2 * h->ffn};
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
                    (size_t)BLOCK * h->ffn, back * BLOCK * h->ffn, back * BLOCK * 2 * h->ffn, (size_t)BLOCK * d, back * packed_size(BLOCK, largest), r * d, 2 * r,
                    r * v, layers, kv * rows_size(&k),
                    kv * turned_size(&k), back * kv * rows_size(&k), back * kv * rows_size(&k), back * square};
  float **to[] = {&s->x, &s->dx, &s->dqkv, &s->dmixed, &s->act, &s->dact, &s->act_back, &s->dy, &s->panels, &s->final, &s->final_scale, &s->chances,
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

// act (n, ffn) = silu(gate) * up of gate_up (n, 2 ffn).
static void gated(const float *gate_up, float *act, int n, int ffn) {
  for (int r = 0; r < n; r++, gate_up += 2 * ffn, act += ffn)
    for (int i = 0; i < ffn; i += LANES) {
      vec gate = load(gate_up + i);
      store(act + i, gate / (1.0f + exponential(-gate)) * load(gate_up + ffn + i));
    }
}

// act (n, ffn) again, and its gradient d (n, ffn) turned into that of gate and up, (n, 2 ffn).
static void gated_back(const float *gate_up, float *act, const float *d, float *both, int n, int ffn) {
  for (int r = 0; r < n; r++, gate_up += 2 * ffn, act += ffn, d += ffn, both += 2 * ffn)
    for (int i = 0; i < ffn; i += LANES) {
      vec gate = load(gate_up + i), up = load(gate_up + ffn + i), slope = load(d + i);
      vec open = 1.0f / (1.0f + exponential(-gate)), silu = gate * open;
      store(act + i, silu * up);
      store(both + i, slope * up * (open + silu * (1.0f - open)));
      store(both + ffn + i, slope * silu);
    }
}

// dx (n, d) += the gradient through x -> y = x scale, scale = 1 / sqrt(mean(x^2) + eps), given dy.
static void normalise_back(const float *dy, const float *y, const float *scale, float *dx, int n, int d) {
  for (int r = 0; r < n; r++, dy += d, y += d, dx += d) {
    vec products = {};
    float rest = 0.0f;
    int i = 0;
    for (; i + LANES <= d; i += LANES) products += load(dy + i) * load(y + i);
    for (; i < d; i++) rest += dy[i] * y[i];
    float mean = (sum(products) + rest) / d, factor = scale[r];
    for (i = 0; i < d; i++) dx[i] += (dy[i] - y[i] * mean) * factor;
  }
}

static inline int least(int a, int b) { return a < b ? a : b; }

// Log-probabilities (pairs) of a forest. `train` keeps what `backward` needs. Returns 1 where memory ran out.
int forward(const struct model *m, struct space *s, const struct forest *f, float *logp, int train) {
  if (plan(m, f, s, train)) return 1;
  const struct shape *h = &m->shape;
  struct heads k = heads(m, s);
  int d = h->hidden, width = h->heads * h->channels, all = width + 2 * h->kv_heads * h->channels, n = (int)f->nodes;
  struct offsets o = offsets(h);
  for (int i = 0; i < n; i++) memcpy(s->x + (int64_t)i * d, m->weights + (int64_t)f->tokens[i] * d, d * sizeof(float));
  for (int l = 0; l < h->layers; l++) {
    const float *w = m->weights + o.layer + l * o.stride;
    struct kept c = layer_kept(m, f, s, train ? l : 0);
    struct both b[4];
    int last = l == h->layers - 1;
    layer_panels(m, l, b);
    for (int r = 0, rows; r < n; r += rows) {
      rows = least(BLOCK, n - r);
      normalise(s->x + (int64_t)r * d, c.normed + (int64_t)r * d, c.scale + r, rows, d);
      float *qkv = c.qkv + (int64_t)r * all;
      multiply(c.normed + (int64_t)r * d, d, b[0].forward, d, qkv, all, rows, all, 0, w + o.bias);
      for (int i = 0; i < rows; i++) {
        int64_t angle = (int64_t)f->positions[r + i] * (h->channels / 2);
        rotate(qkv + (int64_t)i * all, m->cosine + angle, m->sine + angle, h->heads + h->kv_heads, h->channels, 1.0f);
      }
    }
    attend(&k, &s->stack, s->segments, s->count, c.qkv, c.weights, c.mixed, last);
    if (last) {
      n = s->rows;
      for (int i = 0; i < n; i++) memmove(s->x + (int64_t)i * d, s->x + (int64_t)s->kept[i] * d, d * sizeof(float));
    }
    for (int r = 0, rows; r < n; r += rows) {
      rows = least(BLOCK, n - r);
      float *x = s->x + (int64_t)r * d, *y = c.normed2 + (int64_t)r * d, *gate_up = c.gate_up + (int64_t)r * 2 * h->ffn;
      multiply(c.mixed + (int64_t)r * width, width, b[1].forward, width, x, d, rows, d, 1, NULL);
      normalise(x, y, c.scale2 + r, rows, d);
      multiply(y, d, b[2].forward, d, gate_up, 2 * h->ffn, rows, 2 * h->ffn, 0, NULL);
      gated(gate_up, s->act, rows, h->ffn);
      multiply(s->act, h->ffn, b[3].forward, h->ffn, x, d, rows, d, 1, NULL);
    }
  }
  struct both b;
  int v = h->vocabulary, wide = padded(v);
  layer_panels(m, h->layers, &b);
  normalise(s->x, s->final, s->final_scale, n, d);
  multiply(s->final, d, b.forward, d, s->chances, wide, n, v, 0, NULL);
  for (int64_t i = 0; i < f->pairs; i++) logp[i] = s->chances[(int64_t)s->row[f->from[i]] * wide + f->to[i]];
  for (int r = 0; r < n; r++) {
    float *p = s->chances + (int64_t)r * wide, largest = p[0], total = 0.0f;
    for (int i = 1; i < v; i++) largest = p[i] > largest ? p[i] : largest;
    for (int i = v; i < wide; i++) p[i] = -1e30f;
    for (int i = 0; i < wide; i += LANES) store(p + i, exponential(load(p + i) - largest));
    for (int i = 0; i < v; i++) total += p[i];
    for (int i = 0; i < v; i++) p[i] /= total;
    s->final_scale[s->rows + r] = largest + logf(total);
  }
  for (int64_t i = 0; i < f->pairs; i++) logp[i] -= s->final_scale[s->rows + s->row[f->from[i]]];
  return 0;
}

// Add to `gradient`, laid out as the weights, that of a loss whose slope at each log-probability is given; after forward.
void backward(const struct model *m, struct space *s, const struct forest *f, const float *slopes, float *gradient) {
  const struct shape *h = &m->shape;
  struct heads k = heads(m, s);
  int d = h->hidden, width = h->heads * h->channels, all = width + 2 * h->kv_heads * h->channels;
  int n = s->rows, ffn = h->ffn, v = h->vocabulary, wide = padded(v);
  struct offsets o = offsets(h);
  struct both b[4];
  float *dy = s->dy, *totals = s->final_scale + s->rows;
  layer_panels(m, h->layers, b);
  memset(totals, 0, n * sizeof(float));
  for (int64_t i = 0; i < f->pairs; i++) totals[s->row[f->from[i]]] -= slopes[i];
  for (int r = 0; r < n; r++)
    for (int i = 0; i < wide; i++) s->chances[(int64_t)r * wide + i] *= totals[r];
  for (int64_t i = 0; i < f->pairs; i++) s->chances[(int64_t)s->row[f->from[i]] * wide + f->to[i]] += slopes[i];
  memset(s->dx, 0, (size_t)n * d * sizeof(float));
  for (int r = 0, rows; r < n; r += rows) {
    rows = least(BLOCK, n - r);
    const float *y = s->final + (int64_t)r * d, *p = s->chances + (int64_t)r * wide;
    accumulate(p, wide, gathered(y, d, rows, d, s->panels), rows, gradient + o.output, d, v, d);
    multiply(p, wide, b->back, v, dy, d, rows, d, 0, NULL);
    normalise_back(dy, y, s->final_scale + r, s->dx + (int64_t)r * d, rows, d);
  }
  for (int l = h->layers - 1; l >= 0; l--) {
    float *w = gradient + o.layer + l * o.stride;
    struct kept c = layer_kept(m, f, s, l);
    int last = l == h->layers - 1;
    layer_panels(m, l, b);
    for (int r = 0, rows; r < n; r += rows) {
      rows = least(BLOCK, n - r);
      float *dx = s->dx + (int64_t)r * d, *dmixed = s->dmixed + (int64_t)r * width, *both = s->act_back;
      const float *y = c.normed2 + (int64_t)r * d, *mixed = c.mixed + (int64_t)r * width;
      multiply(dx, d, b[3].back, d, s->dact, ffn, rows, ffn, 0, NULL);
      gated_back(c.gate_up + (int64_t)r * 2 * ffn, s->act, s->dact, both, rows, ffn);
      accumulate(dx, d, gathered(s->act, ffn, rows, ffn, s->panels), rows, w + o.down, ffn, d, ffn);
      accumulate(both, 2 * ffn, gathered(y, d, rows, d, s->panels), rows, w + o.gate_up, d, 2 * ffn, d);
      multiply(both, 2 * ffn, b[2].back, 2 * ffn, dy, d, rows, d, 0, NULL);
      normalise_back(dy, y, c.scale2 + r, dx, rows, d);
      accumulate(dx, d, gathered(mixed, width, rows, width, s->panels), rows, w + o.out, width, d, width);
      multiply(dx, d, b[1].back, d, dmixed, width, rows, width, 0, NULL);
    }
    attend_back(&k, &s->stack, s->segments, s->count, c.qkv, c.weights, s->dmixed, s->dqkv, last, s->loaded);
    if (last) {  // back to a row a node, from the last on: a node's row never lies behind it
      int row = n;
      n = (int)f->nodes;
      for (int i = n - 1; i >= 0; i--) {
        float *to = s->dx + (int64_t)i * d;
        if (row && s->kept[row - 1] == i) memmove(to, s->dx + (int64_t)--row * d, d * sizeof(float));
        else memset(to, 0, d * sizeof(float));
      }
    }
    for (int r = 0, rows; r < n; r += rows) {
      rows = least(BLOCK, n - r);
      float *dqkv = s->dqkv + (int64_t)r * all;
      const float *y = c.normed + (int64_t)r * d;
      for (int i = 0; i < rows; i++) {
        int64_t angle = (int64_t)f->positions[r + i] * (h->channels / 2);
        rotate(dqkv + (int64_t)i * all, m->cosine + angle, m->sine + angle, h->heads + h->kv_heads, h->channels, -1.0f);
        for (int j = 0; j < all; j++) w[o.bias + j] += dqkv[(int64_t)i * all + j];
      }
      accumulate(dqkv, all, gathered(y, d, rows, d, s->panels), rows, w, d, all, d);
      multiply(dqkv, all, b[0].back, all, dy, d, rows, d, 0, NULL);
      normalise_back(dy, y, c.scale + r, s->dx + (int64_t)r * d, rows, d);
    }
  }
  for (int i = 0; i < n; i++)
    for (int j = 0; j < d; j++) gradient[(int64_t)f->tokens[i] * d + j] += s->dx[(int64_t)i * d + j];
}
