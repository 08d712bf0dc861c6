// Sixteen floats at a time, in GCC's vector extensions: one AVX-512 register, two of AVX2, four of NEON.
#pragma once
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#define LANES 16
typedef float vec __attribute__((vector_size(64)));
typedef int32_t ivec __attribute__((vector_size(64)));
typedef float loose __attribute__((vector_size(64), aligned(4), may_alias));  // at any address

// Rows of a register tile: 2 * ROWS accumulators and a few more must fit the register file.
#if defined(__AVX512F__)
#define ROWS 12
#else
#define ROWS 3
#endif

static inline int padded(int n) { return (n + LANES - 1) / LANES * LANES; }
static inline vec load(const float *p) { return *(const loose *)p; }
static inline void store(float *p, vec v) { *(loose *)p = v; }
static inline vec splat(float a) { return (vec){a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a}; }
static inline vec choose(ivec mask, vec a, vec b) { return (vec)((mask & (ivec)a) | (~mask & (ivec)b)); }

static inline float sum(vec v) {
  typedef float half __attribute__((vector_size(32)));
  union { vec v; half h[2]; } u = {v};
  half h = u.h[0] + u.h[1];
  return ((h[0] + h[4]) + (h[2] + h[6])) + ((h[1] + h[5]) + (h[3] + h[7]));
}

static inline float largest(vec v) {
#define HIGHER(...) v = choose(__builtin_shufflevector(v, v, __VA_ARGS__) > v, __builtin_shufflevector(v, v, __VA_ARGS__), v)
  HIGHER(8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
  HIGHER(4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
  HIGHER(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
  HIGHER(1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
#undef HIGHER
  return v[0];
}

// v where the lane is below n, nothing (-1e30) elsewhere.
static inline vec first(vec v, int n) {
  const ivec lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return choose(lane < n, v, splat(-1e30f));
}

// The sums of sixteen vectors as one: halves are added pairwise, so each stage leaves half as many vectors.
static inline vec sums(const vec *v) {
#define FOLD(a, b, i0, i1, i2, i3, i4, i5, i6, i7, i8, i9, i10, i11, i12, i13, i14, i15)                         \
  __builtin_shufflevector(a, b, i0, i1, i2, i3, i4, i5, i6, i7, i8, i9, i10, i11, i12, i13, i14, i15)
  vec a[8], b[4], c[2];
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++)
    a[i] = FOLD(v[i], v[i + 8], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
           FOLD(v[i], v[i + 8], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++)
    b[i] = FOLD(a[i], a[i + 4], 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27) +
           FOLD(a[i], a[i + 4], 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
#pragma GCC unroll 2
  for (int i = 0; i < 2; i++)
    c[i] = FOLD(b[i], b[i + 2], 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29) +
           FOLD(b[i], b[i + 2], 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
  return FOLD(c[0], c[1], 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30) +
         FOLD(c[0], c[1], 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
#undef FOLD
}

// e^x with a relative error below 2e-7; 0 below -87 (so that a mask of -1e30 is exactly nothing).
static inline vec exponential(vec x) {
  const float shift = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer in the low bits
  ivec nothing = x < -87.0f;
  x = choose(x > 88.0f, splat(88.0f), x);
  vec t = x * 1.44269504f + shift, n = t - shift;
  vec r = x - n * 0.693359375f + n * 2.12194440e-4f;
  vec p = splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  ivec scale = ((ivec)t - 0x4B400000 + 127) << 23;
  return choose(nothing, splat(0.0f), p * (vec)scale);
}

// y (rows, d) = x / sqrt(mean(x^2) + 1e-6): RMSNorm without its gain. `scale`, if given, gets the factor of each row.
static inline void normalise(const float *x, float *y, float *scale, int rows, int d) {
  for (int r = 0; r < rows; r++, x += d, y += d) {
    vec squares = {};
    int i = 0;
    float rest = 0.0f;
    for (; i + LANES <= d; i += LANES) squares += load(x + i) * load(x + i);
    for (; i < d; i++) rest += x[i] * x[i];
    float factor = 1.0f / sqrtf((sum(squares) + rest) / d + 1e-6f);
    if (scale) scale[r] = factor;
    for (i = 0; i < d; i++) y[i] = x[i] * factor;
  }
}

// Zeroed memory on large pages where the system has them: key-value caches touch many pages at once.
static inline float *allocate(size_t floats) {
  size_t page = (size_t)1 << 21, bytes = (floats * sizeof(float) + page - 1) / page * page;
  void *memory = NULL;
  if (posix_memalign(&memory, page, bytes)) return NULL;
#if defined(__linux__)
  madvise(memory, bytes, MADV_HUGEPAGE);
#endif
  return memset(memory, 0, bytes);
}
