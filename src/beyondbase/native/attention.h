// Attention over a forest in preorder, forward and backward.
//
// A stack holds keys and values of the path from a root to the segment at hand: entry p belongs to position p. Going
// through the segments in preorder, what lies on the stack below a segment's first position is its ancestors, whatever
// was above is overwritten. Backward goes the other way and puts ancestors back when their last descendant comes.
#include "matrix.h"

struct segment {
  int start, length, position;  // first token, number of tokens, position of the first
  int parent;                   // -1 for a root
  int first, row;               // first token that the last layer goes on with, and its row there
  int64_t weights;              // where the heads' attention weights (heads, length, padded(position + length)) begin
};

struct heads {
  int query, key, channels, positions;
};

// Per key-value head: keys and values as rows (positions, padded(channels)) and as panels of (channels, positions).
struct stack {
  float *rows, *turned, *gradient_k, *gradient_v, *scores;
};

static inline int reach(const struct segment *s) { return padded(s->position + s->length); }
static inline int64_t rows_size(const struct heads *h) { return (int64_t)h->positions * padded(h->channels); }
static inline int64_t turned_size(const struct heads *h) { return packed_size(h->channels, h->positions); }

// Rotate adjacent pairs of x (heads, channels) by the angles of one position; `sign` -1 rotates back.
static inline void rotate(float *x, const float *cosine, const float *sine, int heads, int channels, float sign) {
  for (int h = 0; h < heads; h++, x += channels)
    for (int i = 0; i < channels / 2; i++) {
      float a = x[2 * i], b = x[2 * i + 1], s = sign * sine[i];
      x[2 * i] = a * cosine[i] - b * s;
      x[2 * i + 1] = b * cosine[i] + a * s;
    }
}

static inline void copy(float *to, const float *from, int n) {
  int i = 0;
  for (; i + LANES <= n; i += LANES) store(to + i, load(from + i));
  for (; i < n; i++) to[i] = from[i];
}

static inline void push_row(float *rows, const float *x, int p, const struct heads *h) {
  copy(rows + (int64_t)p * padded(h->channels), x, h->channels);
}

static inline void push_turned(float *turned, const float *x, int p, const struct heads *h) {
  float *to = turned + (int64_t)(p / PANEL) * PANEL * h->channels + p % PANEL;
  for (int d = 0; d < h->channels; d++) to[d * PANEL] = x[d];
}

static inline void clear(float *w, int width) {
  for (int i = 0; i < width; i += LANES) store(w + i, (vec){});
}

// The last of the vectors that hold n numbers, `rest` in its lanes past them.
static inline vec end_of(const float *w, int n, float rest) {
  const ivec lanes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  int begin = padded(n) - LANES;
  return choose(lanes < n - begin, load(w + begin), splat(rest));
}

// Softmax of scale * w (n) in place, 0 from n to `width`.
static inline void soften(float *w, int n, int width, float scale) {
  int full = padded(n);
  vec top = end_of(w, n, -1e30f), total = {};
  store(w + full - LANES, top);
  for (int i = 0; i < full - LANES; i += LANES) top = choose(load(w + i) > top, load(w + i), top);
  float shift = largest(top);
  for (int i = 0; i < full; i += LANES) {
    vec e = exponential((load(w + i) - shift) * scale);
    store(w + i, e);
    total += e;
  }
  float factor = 1.0f / sum(total);
  for (int i = 0; i < full; i += LANES) store(w + i, load(w + i) * factor);
  clear(w + full, width - full);
}

// dw becomes the gradient of the scores, w (dw - sum(w dw)) scale, 0 from n to `width`.
static inline void soften_back(const float *w, float *dw, int n, int width, float scale) {
  int full = padded(n);
  store(dw + full - LANES, end_of(dw, n, 0.0f));
  vec total = {};
  for (int i = 0; i < full; i += LANES) total += load(w + i) * load(dw + i);
  float mean = sum(total);
  for (int i = 0; i < full; i += LANES) store(dw + i, load(w + i) * (load(dw + i) - mean) * scale);
  clear(dw + full, width - full);
}

// mixed (rows, heads * channels) from rotated qkv (nodes, heads + 2 * kv heads, channels); with `last` a segment has
// rows from its `first` token on only.
static void attend(const struct heads *h, const struct stack *k, const struct segment *s, int count, const float *qkv,
                   float *weights, float *mixed, int last) {
  int c = h->channels, wide = padded(c), stride = (h->query + 2 * h->key) * c, width = h->query * c;
  int group = h->query / h->key;
  for (const struct segment *end = s + count; s < end; s++) {
    int first = last ? s->first : 0, n = reach(s);
    for (int g = 0; g < h->key; g++) {
      float *values = k->rows + g * rows_size(h), *keys = k->turned + g * turned_size(h);
      const float *own = qkv + (int64_t)s->start * stride + (h->query + g) * c;
      for (int t = 0; t < s->length; t++) {
        push_turned(keys, own + (int64_t)t * stride, s->position + t, h);
        push_row(values, own + (int64_t)t * stride + h->key * c, s->position + t, h);
      }
      for (int head = g * group; head < (g + 1) * group; head++)
        for (int t = first; t < s->length; t += ROWS) {  // a tile of rows at a time: half of a square is never seen
          int m = s->length - t < ROWS ? s->length - t : ROWS, seen = s->position + t + m;
          const float *q = qkv + (int64_t)(s->start + t) * stride + head * c;
          float *w = weights + s->weights + ((int64_t)head * s->length + t) * n;
          int64_t row = last ? s->row + t - first : s->start + t;
          multiply(q, stride, packed(keys, c), c, w, n, m, padded(seen), 0, NULL);
          for (int r = 0; r < m; r++) soften(w + (int64_t)r * n, s->position + t + r + 1, n, 1.0f / sqrtf(c));
          multiply(w, n, plain(values, wide), seen, mixed + row * width + head * c, width, m, c, 0, NULL);
        }
    }
  }
}

// dqkv (nodes, ...) of rotated queries, keys and values, from dmixed, laid out as in `attend`.
static void attend_back(const struct heads *h, const struct stack *k, const struct segment *all, int count,
                        const float *qkv, const float *weights, const float *dmixed, float *dqkv, int last,
                        char *loaded) {
  int c = h->channels, wide = padded(c), stride = (h->query + 2 * h->key) * c, width = h->query * c;
  int group = h->query / h->key;
  memset(loaded, 0, count);
  for (int index = count - 1; index >= 0; index--) {
    const struct segment *s = &all[index];
    for (int i = index; i >= 0 && !loaded[i]; i = all[i].parent) {
      loaded[i] = 1;
      for (int g = 0; g < h->key; g++)
        for (int t = 0; t < all[i].length; t++) {
          const float *key = qkv + (int64_t)(all[i].start + t) * stride + (h->query + g) * c;
          int p = all[i].position + t;
          push_row(k->rows + g * rows_size(h), key, p, h);
          push_turned(k->turned + g * turned_size(h), key + h->key * c, p, h);
          clear(k->gradient_k + g * rows_size(h) + (int64_t)p * wide, wide);
          clear(k->gradient_v + g * rows_size(h) + (int64_t)p * wide, wide);
        }
    }
    int first = last ? s->first : 0, n = reach(s);
    int64_t row = last ? s->row - first : s->start;
    for (int t = 0; t < first; t++)
      memset(dqkv + (int64_t)(s->start + t) * stride, 0, (size_t)width * sizeof(float));
    for (int g = 0; g < h->key; g++) {
      float *keys = k->rows + g * rows_size(h), *values = k->turned + g * turned_size(h);
      float *dk = k->gradient_k + g * rows_size(h), *dv = k->gradient_v + g * rows_size(h), *dw = k->scores;
      for (int head = g * group; head < (g + 1) * group; head++) {
        const float *w = weights + s->weights + (int64_t)head * s->length * n;
        const float *q = qkv + (int64_t)s->start * stride + head * c, *dm = dmixed + row * width + head * c;
        for (int t = first; t < s->length; t += ROWS) {
          int m = s->length - t < ROWS ? s->length - t : ROWS, seen = s->position + t + m;
          float *d = dw + (int64_t)t * n;
          multiply(dm + (int64_t)t * width, width, packed(values, c), c, d, n, m, padded(seen), 0, NULL);
          for (int r = 0; r < m; r++)
            soften_back(w + (int64_t)(t + r) * n, d + (int64_t)r * n, s->position + t + r + 1, n, 1.0f / sqrtf(c));
          multiply(d, n, plain(keys, wide), seen, dqkv + (int64_t)(s->start + t) * stride + head * c, stride, m, c, 0,
                   NULL);
        }
        for (int p = 0; p < s->position + s->length; p += ROWS) {  // a tile of positions: only later tokens see it
          int m = s->position + s->length - p < ROWS ? s->position + s->length - p : ROWS;
          int t = p - s->position > first ? p - s->position : first, left = s->length - t;
          struct panels seen_by = plain(dm + (int64_t)t * width, width);
          struct panels asked_by = plain(q + (int64_t)t * stride, stride);
          outer(w + (int64_t)t * n + p, n, seen_by, left, dv + (int64_t)p * wide, wide, m, c);
          outer(dw + (int64_t)t * n + p, n, asked_by, left, dk + (int64_t)p * wide, wide, m, c);
        }
      }
      for (int t = 0; t < s->length; t++) {
        float *to = dqkv + (int64_t)(s->start + t) * stride + (h->query + g) * c;
        copy(to, dk + (int64_t)(s->position + t) * wide, c);
        copy(to + h->key * c, dv + (int64_t)(s->position + t) * wide, c);
      }
    }
    loaded[index] = 0;
  }
}
