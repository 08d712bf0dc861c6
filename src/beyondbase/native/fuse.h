// The matrices that are computed with, from a policy's parameters, and the way back for gradients.
//
// The same three identities as policy/fused.py: gains folded into the matrix behind them, query, key and value as one,
// rotary pairs adjacent. There it is said in torch; here it costs a tenth of the time.
#include "matrix.h"

struct shape {
  int32_t layers, hidden, heads, kv_heads, channels, ffn, vocabulary;  // ffn is a multiple of 16
};

// Fused matrices (outputs, inputs) one behind the other: embedding and output (vocabulary, hidden), then of each layer
// qkv, its bias, out, gate above up, down. Their gradient is laid out alike. All but `output`, `layer` and `end` count
// from the beginning of a layer.
struct offsets {
  size_t output, layer, bias, out, gate_up, down, stride, end;
};

static struct offsets offsets(const struct shape *s) {
  size_t d = s->hidden, width = (size_t)s->heads * s->channels, all = width + 2 * (size_t)s->kv_heads * s->channels;
  struct offsets o = {.output = s->vocabulary * d, .layer = 2 * s->vocabulary * d, .bias = all * d};
  o.out = o.bias + all;
  o.gate_up = o.out + d * width;
  o.down = o.gate_up + 2 * s->ffn * d;
  o.stride = o.down + d * s->ffn;
  o.end = o.layer + s->layers * o.stride;
  return o;
}

// Parameters as the policy holds them, or their gradients, or addresses of neither.
struct parameters {
  float *embedding, *norm;
  struct layer_parameters {
    float *before, *q, *q_bias, *k, *k_bias, *v, *v_bias, *out, *after, *gate, *up, *down;
  } *layer;
  int32_t ffn;  // as it is, not padded
};

// Where row r of a head goes so that rotary pairs are adjacent.
static inline int turned_row(int r, int channels) {
  int half = channels / 2, in_head = r % channels;
  return r - in_head + (in_head < half ? 2 * in_head : 2 * (in_head - half) + 1);
}

// One matrix (rows, columns): fused = own * gain, or its gradient: own_slope += fused_slope * gain, and the gain's.
// `gain` may be NULL. Channels other than 0 turn the rows.
static void scaled(float *fused, const float *own, const float *gain, int rows, int columns, int channels, float *slope,
                   float *gain_slope) {
  for (int r = 0; r < rows; r++, own += columns) {
    float *f = fused + (int64_t)(channels ? turned_row(r, channels) : r) * columns;
    if (!slope) {
      for (int i = 0; i < columns; i++) f[i] = gain ? own[i] * gain[i] : own[i];
      continue;
    }
    for (int i = 0; i < columns; i++) slope[i] += gain ? f[i] * gain[i] : f[i];
    if (gain)
      for (int i = 0; i < columns; i++) gain_slope[i] += f[i] * own[i];
    slope += columns;
  }
}

// Both directions in one walk: parameters `p` to `fused`, or where `g` is given the gradient `fused` added to `g`.
static void walk(const struct shape *s, const struct parameters *p, float *fused, const struct parameters *g) {
  struct offsets o = offsets(s);
  int d = s->hidden, c = s->channels, q = s->heads * c, k = s->kv_heads * c, f = p->ffn, v = s->vocabulary;
  scaled(fused, p->embedding, NULL, v, d, 0, g ? g->embedding : NULL, NULL);
  scaled(fused + o.output, p->embedding, p->norm, v, d, 0, g ? g->embedding : NULL, g ? g->norm : NULL);
  for (int l = 0; l < s->layers; l++) {
    float *w = fused + o.layer + l * o.stride, *bias = w + o.bias, *up = w + o.gate_up + (size_t)s->ffn * d;
    const struct layer_parameters *a = &p->layer[l], none = {0}, *b = g ? &g->layer[l] : &none;
    scaled(w, a->q, a->before, q, d, c, b->q, b->before);
    scaled(w + (size_t)q * d, a->k, a->before, k, d, c, b->k, b->before);
    scaled(w + (size_t)(q + k) * d, a->v, a->before, k, d, 0, b->v, b->before);
    scaled(bias, a->q_bias, NULL, q, 1, c, b->q_bias, NULL);
    scaled(bias + q, a->k_bias, NULL, k, 1, c, b->k_bias, NULL);
    scaled(bias + q + k, a->v_bias, NULL, k, 1, 0, b->v_bias, NULL);
    scaled(w + o.out, a->out, NULL, d, q, 0, b->out, NULL);
    scaled(w + o.gate_up, a->gate, a->after, f, d, 0, b->gate, b->after);
    scaled(up, a->up, a->after, f, d, 0, b->up, b->after);
    for (size_t r = 0; r < (size_t)d; r++)  // its rows are padded
      scaled(w + o.down + r * s->ffn, a->down + r * f, NULL, 1, f, 0, g ? b->down + r * f : NULL, NULL);
  }
}

// `weights` must come filled with 0: what pads matrices is not written.
void fuse(const struct shape *s, const struct parameters *p, float *weights) { walk(s, p, weights, NULL); }

void unfuse(const struct shape *s, const struct parameters *p, float *slopes, const struct parameters *gradients) {
  walk(s, p, slopes, gradients);
}
