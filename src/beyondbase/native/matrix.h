// The three matrix products of training, c = a b, c += a b and c += a^T b, on one register tile.
#pragma once
#include "vectors.h"

#define PANEL (2 * LANES)  // columns of a register tile
#define BLOCK 192          // rows that go through several products before the next ones: they stay in the second cache

// A matrix (k, n) that a product reads: columns in panels of 32, `panel` floats apart, rows of a panel `row` apart.
struct panels {
  const float *at;
  int64_t panel, row;
};

static inline struct panels packed(const float *at, int k) { return (struct panels){at, (int64_t)PANEL * k, PANEL}; }
static inline struct panels plain(const float *at, int64_t width) { return (struct panels){at, PANEL, width}; }
static inline size_t packed_size(int k, int n) { return (size_t)(n + PANEL - 1) / PANEL * PANEL * k; }

// One register of the machine at hand: gcc keeps wider vectors in memory rather than in several registers.
#if defined(__AVX512F__)
#define REGISTER 16
#elif defined(__AVX__)
#define REGISTER 8
#else
#define REGISTER 4
#endif
typedef float reg __attribute__((vector_size(4 * REGISTER)));
typedef float loose_reg __attribute__((vector_size(4 * REGISTER), aligned(4), may_alias));

static inline reg take(const float *p) { return *(const loose_reg *)p; }
static inline void put(float *p, reg v) { *(loose_reg *)p = v; }

static inline reg spread(float a) {
#if REGISTER == 16
  return (reg){a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a};
#elif REGISTER == 8
  return (reg){a, a, a, a, a, a, a, a};
#else
  return (reg){a, a, a, a};
#endif
}

// One tile, rows x 16 or 32: c = or += a b for rows a (rows, k), or columns a (k, rows) where `turned`. The compiler
// keeps `s` in registers: its indices must all be constants. Columns past `left` are computed and not stored.
static inline __attribute__((always_inline)) void block(const float *a, int64_t lead, const int turned, const float *b,
                                                        int64_t row, int k, float *c, int64_t width, int left, int add,
                                                        const float *bias, const int rows, const int vectors) {
  const int across = vectors * LANES / REGISTER;
  reg s[ROWS][PANEL / REGISTER];
#pragma GCC unroll 16
  for (int r = 0; r < rows; r++) {
#pragma GCC unroll 8
    for (int j = 0; j < across; j++) s[r][j] = bias ? take(bias + j * REGISTER) : (reg){};
    __builtin_prefetch(c + r * width, 1);  // here by the time the sums are: fresh memory is slow to write
    __builtin_prefetch(c + r * width + LANES, 1);
  }
  for (int i = 0; i < k; i++, b += row) {
    reg w[PANEL / REGISTER];
#pragma GCC unroll 8
    for (int j = 0; j < across; j++) w[j] = take(b + j * REGISTER);
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
      reg x = spread(turned ? a[i * lead + r] : a[r * lead + i]);
#pragma GCC unroll 8
      for (int j = 0; j < across; j++) s[r][j] += x * w[j];
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < rows; r++, c += width) {
    float last[PANEL];
    float *to = left >= vectors * LANES ? c : last;
    if (add && to == last)
      for (int j = 0; j < left; j++) last[j] = c[j];
#pragma GCC unroll 8
    for (int j = 0; j < across; j++)
      put(to + j * REGISTER, add ? take(to + j * REGISTER) + s[r][j] : s[r][j]);
    if (to == last)
      for (int j = 0; j < left; j++) c[j] = last[j];
  }
}

// m rows of one panel: as many full tiles as there are, then smaller ones.
static inline __attribute__((always_inline)) void strip(const float *a, int64_t lead, const int turned, const float *b,
                                                        int64_t row, int k, float *c, int64_t width, int left, int add,
                                                        const float *bias, int m, const int vectors) {
  int64_t step = turned ? 1 : lead;
  int r = 0;
  for (; r + ROWS <= m; r += ROWS)
    block(a + r * step, lead, turned, b, row, k, c + r * width, width, left, add, bias, ROWS, vectors);
  if (ROWS > 4)
    for (; r + 4 <= m; r += 4)
      block(a + r * step, lead, turned, b, row, k, c + r * width, width, left, add, bias, ROWS > 4 ? 4 : 1, vectors);
  for (; r + 2 <= m; r += 2)
    block(a + r * step, lead, turned, b, row, k, c + r * width, width, left, add, bias, 2, vectors);
  for (; r < m; r++)
    block(a + r * step, lead, turned, b, row, k, c + r * width, width, left, add, bias, 1, vectors);
}

// c (m, n) = or += a (m, k) b (k, n), plus a bias (n) given on whole panels. Rows of a are `lead` apart, of c `width`.
static __attribute__((noinline)) void multiply(const float *a, int64_t lead, struct panels b, int k, float *c,
                                               int64_t width, int m, int n, int add, const float *bias) {
  for (int o = 0; o < n; o += PANEL, b.at += b.panel)
    if (n - o > LANES)
      strip(a, lead, 0, b.at, b.row, k, c + o, width, n - o, add, bias ? bias + o : NULL, m, 2);
    else
      strip(a, lead, 0, b.at, b.row, k, c + o, width, n - o, add, bias ? bias + o : NULL, m, 1);
}

// c (m, n) += a^T b for columns a (k, m) and rows b (k, n).
static __attribute__((noinline)) void outer(const float *a, int64_t lead, struct panels b, int k, float *c,
                                            int64_t width, int m, int n) {
  for (int o = 0; o < n; o += PANEL, b.at += b.panel)
    if (n - o > LANES)
      strip(a, lead, 1, b.at, b.row, k, c + o, width, n - o, 1, NULL, m, 2);
    else
      strip(a, lead, 1, b.at, b.row, k, c + o, width, n - o, 1, NULL, m, 1);
}

// The same for at most BLOCK rows of a large matrix: what they add to the gradient of a matrix. A few columns of `a`
// are laid close together before they meet every panel of b; in place they would fall on few lines of the first cache.
static void accumulate(const float *a, int64_t lead, struct panels b, int k, float *c, int64_t width, int m, int n) {
  float tile[BLOCK * ROWS + LANES];
  for (int r = 0; r < m; r += ROWS) {
    for (int i = 0; i < k; i++) store(tile + i * ROWS, load(a + r + i * lead));
    outer(tile, ROWS, b, k, c + (int64_t)r * width, width, m - r < ROWS ? m - r : ROWS, n);
  }
}

// Rows b (k, n) as panels in `to`, for the same reason.
static struct panels gathered(const float *b, int64_t row, int k, int n, float *to) {
  struct panels result = packed(to, k);
  for (int o = 0; o < n; o += PANEL)
    for (int i = 0; i < k; i++, to += PANEL)
      store(to, load(b + i * row + o)), store(to + LANES, load(b + i * row + o + LANES));
  return result;
}

// Panels of the matrix (k, n) whose entry (i, j) is w[i * down + j * right].
static void pack(const float *w, int64_t down, int64_t right, int k, int n, float *to) {
  for (int o = 0; o < n; o += PANEL)
    for (int i = 0; i < k; i++)
      for (int j = 0; j < PANEL; j++) *to++ = o + j < n ? w[i * down + (o + j) * right] : 0.0f;
}
