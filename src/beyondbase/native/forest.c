// Log-probabilities of the tokens of a forest and the gradient of a loss of them: see policy/native_forest.py.
//
// A forest is tokens in preorder with their positions: a token's context is the latest token before it at every smaller
// position. Texts in a row are trees without branches; texts that begin alike share their beginning.
#include "space.h"

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

// Size of the packed panels of one layer's matrices, or of the output matrix where `layer` is the number of layers.
// With `to` they are written there, with `b` it says where from `at` on they are.
static size_t prepared(const struct shape *s, int layer, const float *from, float *to, const float *at,
                       struct both *b) {
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

// After `forward`: add to `gradient`, laid out as the weights, that of a loss of given slopes at the log-probabilities.
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
