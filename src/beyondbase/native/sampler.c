// Many samples of each prompt, a token a step for every row of a full batch: see policy/native_sampler.py.
//
// Rows are independent: each has its own prompt, position and cache, so a row that ends is replaced by the next sample
// at once and the batch stays full. The keys and values of a prompt lie in memory once, for all its samples. Its
// keys come in blocks of 16 positions, (blocks, channels, 16): 16 scores are then multiply-adds without a reduction.
#include "matrix.h"

struct layer {
  const float *qkv, *qkv_bias, *out, *gate_up, *down;  // packed in panels, see `multiply`; gate_up holds 16 gates and their 16 values in turn
};

struct model {
  int32_t layers, hidden, heads, kv_heads, channels, ffn, vocabulary;
  const struct layer *layer;
  const float *embedding;  // (V, hidden)
  const float *output;     // packed, divided by the temperature
  const float *cosine, *sine;  // (positions, channels / 2)
};

// Keys (layers, kv_heads, padded(length) / 16, channels, 16) and values (layers, kv_heads, length, padded(channels)).
struct prompt {
  int32_t length;
  const float *keys, *values;
  const float *logits;  // (V,) of the first token, divided by the temperature
};

struct job {
  const struct prompt *prompts;
  int64_t count, samples, max_tokens;  // prompts, samples of each, tokens of each
  int64_t stop;                        // token that ends a row, -1 for none
  float top_p;
  int64_t slots;          // rows computed at once
  const float *uniforms;  // (count, samples, max_tokens)
  int64_t *tokens;        // (count, samples, max_tokens), padded by the caller
  float *logprobs;        // same shape, 0 where there is no token
  int64_t *next;          // the first sample nobody has taken; shared by the threads
};

struct row {
  int64_t item;  // prompt * samples + sample
  const struct prompt *prompt;
  int32_t slot, drawn, token;
};

struct space {  // buffers of one thread
  float *keys, *values, *x, *norm, *qkv, *mixed, *both, *hidden, *logits, *scores;
};

// One token by inversion of the cumulative distribution; its log-probability goes to *logprob.
static int draw(float *logits, int vocabulary, float uniform, float top_p, float *logprob) {
  float highest = logits[0], total = 0.0f, cumulative = 0.0f;
  for (int v = 1; v < vocabulary; v++) highest = logits[v] > highest ? logits[v] : highest;
  for (int v = vocabulary; v < padded(vocabulary); v++) logits[v] = -1e30f;
  for (int v = 0; v < vocabulary; v += LANES) store(logits + v, exponential(load(logits + v) - highest));
  for (int v = 0; v < vocabulary; v++) total += logits[v];
  if (top_p < 1.0f) {  // keep the likeliest tokens until their mass reaches top_p; ties go to the lower id
    float kept = 0.0f;
    int *rank = (int *)(logits + padded(vocabulary));
    memset(rank, 0, vocabulary * sizeof(int));
    while (kept < top_p * total) {
      int best = -1;
      for (int v = 0; v < vocabulary; v++)
        if (!rank[v] && (best < 0 || logits[v] > logits[best])) best = v;
      if (best < 0) break;
      rank[best] = 1;
      kept += logits[best];
    }
    total = 0.0f;
    for (int v = 0; v < vocabulary; v++) total += logits[v] = rank[v] ? logits[v] : 0.0f;
  }
  int token = 0;
  float limit = uniform * total;
  for (int v = 0; v < vocabulary; v++) {
    if (logits[v] > 0.0f) token = v;  // rounding at the very end may not pick an impossible token
    cumulative += logits[v];
    if (cumulative > limit) break;
  }
  *logprob = logf(logits[token] / total);
  return token;
}

// Memory that the row to come will read, called in line by line while this row is computed: asked for all at once it
// would fill the processor's queue and stall it.
struct ahead {
  const float *next, *end;
};

static inline __attribute__((always_inline)) void fetch(struct ahead *soon, int lines) {
  for (int i = 0; i < lines; i++) __builtin_prefetch(soon->next + i * LANES);
  soon->next += soon->next < soon->end ? lines * LANES : 0;
}

// Scores of n positions: q (channels) against blocks of 16 keys (blocks, channels, 16). Positions past n get none.
static inline __attribute__((always_inline)) void score(const float *q, const float *keys, int n, float *scores,
                                                        const int channels, struct ahead *soon) {
  int p = 0;
  for (; p + LANES < n; p += 2 * LANES) {
    const float *k = keys + p * channels, *l = k + LANES * channels;
    vec a = {}, b = {}, c = {}, e = {};
    for (int d = 0; d < channels; d += 2) {
      a += splat(q[d]) * load(k + d * LANES), b += splat(q[d + 1]) * load(k + (d + 1) * LANES);
      c += splat(q[d]) * load(l + d * LANES), e += splat(q[d + 1]) * load(l + (d + 1) * LANES);
      fetch(soon, 3);
    }
    store(scores + p, a + b), store(scores + p + LANES, first(c + e, n - p - LANES));
  }
  if (p < n) {
    const float *k = keys + p * channels;
    vec a = {}, b = {};
    for (int d = 0; d < channels; d += 2) {
      a += splat(q[d]) * load(k + d * LANES), b += splat(q[d + 1]) * load(k + (d + 1) * LANES);
      fetch(soon, 3);
    }
    store(scores + p, first(a + b, n - p));
  }
}

// The same for keys as they are appended, (n, width): a row writes one line of them a step instead of a whole block.
static inline __attribute__((always_inline)) void score_rows(const float *q, const float *keys, int n, float *scores,
                                                             const int width) {
  for (int p = 0; p < n; p += LANES, keys += LANES * width) {
    vec products[LANES];
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++) {
      products[i] = load(q) * load(keys + i * width);
      for (int d = LANES; d < width; d += LANES) products[i] += load(q + d) * load(keys + i * width + d);
    }
    store(scores + p, first(sums(products), n - p));
  }
}

// Adds weights[p] values (n, width)[p] over n positions to four pairs of accumulators: 32 columns, or 16 if not `two`.
static inline __attribute__((always_inline)) void gather(const float *weights, const float *v, int n, const int width,
                                                         const int two, vec *a, vec *b, struct ahead *soon) {
  int p = 0;
  for (; p + 4 <= n; p += 4, v += 4 * width) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
      vec s = splat(weights[p + i]);
      a[i] += s * load(v + i * width);
      if (two) b[i] += s * load(v + i * width + LANES);
    }
    fetch(soon, 4);
  }
  for (; p < n; p++, v += width) {
    vec s = splat(weights[p]);
    a[0] += s * load(v);
    if (two) b[0] += s * load(v + LANES);
  }
}

// mixed (width) = factor times the weighted values of a prompt's positions and of a suffix's.
static inline __attribute__((always_inline)) void mix(const float *weights, const float *shared, int n,
                                                      const float *own_weights, const float *own, int m, float factor,
                                                      float *mixed, const int width, struct ahead *soon) {
  for (int w = 0; w < width; w += 2 * LANES) {
    const int two = w + LANES < width;
    vec a[4] = {}, b[4] = {};
    gather(weights, shared + w, n, width, two, a, b, soon);
    gather(own_weights, own + w, m, width, two, a, b, soon);
    store(mixed + w, ((a[0] + a[1]) + (a[2] + a[3])) * factor);
    if (two) store(mixed + w + LANES, ((b[0] + b[1]) + (b[2] + b[3])) * factor);
  }
}

// Scores become weights e^((score - largest) * scale); returns their sum.
static inline float soften(float *scores, int n, float scale) {
  vec top = load(scores), total = {};
  for (int p = LANES; p < n; p += LANES) top = choose(load(scores + p) > top, load(scores + p), top);
  float shift = largest(top);
  for (int p = 0; p < n; p += LANES) {
    vec e = exponential((load(scores + p) - shift) * scale);
    store(scores + p, e);
    total += e;
  }
  return sum(total);
}

// Rotate adjacent pairs of x (heads, channels).
static inline void rotate(float *x, const float *cosine, const float *sine, int heads, int channels) {
  for (int h = 0; h < heads; h++, x += channels)
    for (int i = 0; i < channels / 2; i++) {
      float a = x[2 * i], b = x[2 * i + 1];
      x[2 * i] = a * cosine[i] - b * sine[i];
      x[2 * i + 1] = b * cosine[i] + a * sine[i];
    }
}

// Attention of every row: rotated queries and keys, the new key and value in the row's cache, softmax over prompt and
// suffix together. One key-value head at a time, so that a prompt's block of it stays in the first cache; the cache of
// the row to come is called in while a row is computed.
static inline __attribute__((always_inline)) void attend(const struct model *m, const struct job *job,
                                                         const struct space *s, const struct row *rows, int count,
                                                         int layer, const int channels) {
  const int wide = padded(channels);
  int group = m->heads / m->kv_heads, length = padded(job->max_tokens);
  int stride = (m->heads + 2 * m->kv_heads) * channels;
  float scale = 1.0f / sqrtf(channels);
  int64_t size = (int64_t)length * wide;
  for (int r = 0; r < count; r++) {
    int position = rows[r].prompt->length + rows[r].drawn - 1;
    const float *cosine = m->cosine + position * (channels / 2), *sine = m->sine + position * (channels / 2);
    rotate(s->qkv + r * stride, cosine, sine, m->heads + m->kv_heads, channels);
  }
  for (int g = 0; g < m->kv_heads; g++)
    for (int r = 0; r < count; r++) {
      const struct row *then = &rows[r + 1 < count ? r + 1 : r];
      int64_t later = ((int64_t)then->slot * m->layers + layer) * m->kv_heads + g;
      struct ahead k_soon = {s->keys + later * size, s->keys + later * size + then->drawn * wide};
      struct ahead v_soon = {s->values + later * size, s->values + later * size + then->drawn * wide};
      const struct prompt *prompt = rows[r].prompt;
      const float *q = s->qkv + r * stride + g * group * channels;
      const float *k = s->qkv + r * stride + (m->heads + g) * channels, *v = k + m->kv_heads * channels;
      int64_t block = ((int64_t)rows[r].slot * m->layers + layer) * m->kv_heads + g;
      float *keys = s->keys + block * size, *values = s->values + block * size;
      int at = rows[r].drawn - 1, shared = prompt->length, start = padded(shared), n = start + padded(at + 1);
      for (int d = 0; d < channels; d++) keys[at * wide + d] = k[d], values[at * wide + d] = v[d];
      const float *prompt_keys = prompt->keys + ((int64_t)layer * m->kv_heads + g) * channels * start;
      const float *prompt_values = prompt->values + ((int64_t)layer * m->kv_heads + g) * shared * wide;
      for (int h = 0; h < group; h++, q += channels) {
        float *scores = s->scores, *mixed = s->mixed + r * m->heads * channels + (g * group + h) * channels;
        score(q, prompt_keys, shared, scores, channels, &k_soon);
        float query[wide], row[wide];  // used where a head is no multiple of 16 channels
        if (wide != channels)
          for (int d = 0; d < wide; d++) query[d] = d < channels ? q[d] : 0.0f;
        score_rows(wide == channels ? q : query, keys, at + 1, scores + start, wide);
        float factor = 1.0f / soften(scores, n, scale), *to = wide == channels ? mixed : row;
        mix(scores, prompt_values, shared, scores + start, values, at + 1, factor, to, wide, &v_soon);
        if (wide != channels) memcpy(mixed, row, channels * sizeof(float));
      }
    }
}

// The usual widths of a head as constants, which the compiler unrolls.
static void attention(const struct model *m, const struct job *job, const struct space *s, const struct row *rows,
                      int count, int layer) {
  if (m->channels == 16) return attend(m, job, s, rows, count, layer, 16);
  if (m->channels == 32) return attend(m, job, s, rows, count, layer, 32);
  if (m->channels == 64) return attend(m, job, s, rows, count, layer, 64);
  attend(m, job, s, rows, count, layer, m->channels);
}

static void step(const struct model *m, const struct job *job, const struct space *s, const struct row *rows, int n) {
  int d = m->hidden, ffn = padded(m->ffn), width = m->heads * m->channels;
  int qkv = (m->heads + 2 * m->kv_heads) * m->channels;
  for (int r = 0; r < n; r++) memcpy(s->x + r * d, m->embedding + rows[r].token * d, d * sizeof(float));
  for (int l = 0; l < m->layers; l++) {
    const struct layer *w = &m->layer[l];
    normalise(s->x, s->norm, NULL, n, d);
    multiply(s->norm, d, packed(w->qkv, d), d, s->qkv, qkv, n, qkv, 0, w->qkv_bias);
    attention(m, job, s, rows, n, l);
    multiply(s->mixed, width, packed(w->out, width), width, s->x, d, n, d, 1, NULL);
    normalise(s->x, s->norm, NULL, n, d);
    multiply(s->norm, d, packed(w->gate_up, d), d, s->both, 2 * ffn, n, 2 * ffn, 0, NULL);
    for (int64_t i = 0; i < (int64_t)n * ffn; i += LANES) {
      vec gate = load(s->both + 2 * i);
      store(s->hidden + i, gate / (1.0f + exponential(-gate)) * load(s->both + 2 * i + LANES));
    }
    multiply(s->hidden, ffn, packed(w->down, ffn), ffn, s->x, d, n, d, 1, NULL);
  }
  normalise(s->x, s->norm, NULL, n, d);
  multiply(s->norm, d, packed(m->output, d), d, s->logits, m->vocabulary, n, m->vocabulary, 0, NULL);
}

// Draw the next token of a row from `logits` (overwritten); whether the row goes on.
static int advance(const struct model *m, const struct job *job, struct row *row, const float *logits, float *buffer) {
  int64_t place = row->item * job->max_tokens + row->drawn++;
  memcpy(buffer, logits, m->vocabulary * sizeof(float));
  row->token = draw(buffer, m->vocabulary, job->uniforms[place], job->top_p, &job->logprobs[place]);
  job->tokens[place] = row->token;
  return row->token != job->stop && row->drawn < job->max_tokens;
}

// Give a slot the next sample that needs more than its first token; 0 when none is left.
static int assign(const struct model *m, const struct job *job, struct row *row, float *buffer) {
  for (;;) {
    row->item = __atomic_fetch_add(job->next, 1, __ATOMIC_RELAXED);
    if (row->item >= job->count * job->samples) return 0;
    row->drawn = 0;
    row->prompt = &job->prompts[row->item / job->samples];
    if (advance(m, job, row, row->prompt->logits, buffer)) return 1;
  }
}

// Draw samples until none is left. Several threads may work on one job. Returns 0, or 1 where memory ran out.
int sample(const struct model *m, const struct job *job) {
  size_t slots = job->slots, wide = padded(m->channels), kv = (size_t)m->layers * m->kv_heads, longest = 0;
  for (int64_t p = 0; p < job->count; p++)
    longest = (size_t)job->prompts[p].length > longest ? (size_t)job->prompts[p].length : longest;
  size_t cache = slots * kv * padded(job->max_tokens) * wide;
  size_t sizes[] = {cache, cache,
                    slots * m->hidden, slots * m->hidden, slots * (m->heads + 2 * m->kv_heads) * m->channels,
                    slots * m->heads * m->channels, slots * 2 * padded(m->ffn), slots * padded(m->ffn),
                    slots * m->vocabulary,
                    padded(longest) + padded(job->max_tokens) + 2 * padded(m->vocabulary)};
  size_t total = 0, parts = sizeof sizes / sizeof *sizes;
  for (size_t i = 0; i < parts; i++) total += padded(sizes[i]);
  float *memory = allocate(total), *part[sizeof sizes / sizeof *sizes];
  struct row *rows = calloc(slots, sizeof *rows);
  if (!memory || !rows) return free(memory), free(rows), 1;
  float *from = memory;
  for (size_t i = 0; i < parts; from += padded(sizes[i]), i++) part[i] = from;
  struct space s = {part[0], part[1], part[2], part[3], part[4], part[5], part[6], part[7], part[8], part[9]};
  float *buffer = s.scores + padded(longest) + padded(job->max_tokens);

  int n = 0;
  for (; n < (int)slots; n++) {
    rows[n].slot = n;
    if (!assign(m, job, &rows[n], buffer)) break;
  }
  while (n) {
    step(m, job, &s, rows, n);
    for (int r = n - 1; r >= 0; r--) {
      if (advance(m, job, &rows[r], s.logits + r * m->vocabulary, buffer) || assign(m, job, &rows[r], buffer)) continue;
      rows[r] = rows[--n];
    }
  }
  free(memory);
  free(rows);
  return 0;
}
