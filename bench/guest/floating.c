/* Double precision: planets under gravity, and a matrix product. */
#include "workload.h"

#include <math.h>
#include <string.h>

struct body {
  double x[3], v[3], mass;
};

#define BODIES 5

/* Sun and four giants, in units of AU, days and solar masses times 4 pi^2; rounded figures do for a
 * benchmark. */
static const struct body start[BODIES] = {
    {{0, 0, 0}, {0, 0, 0}, 39.47841760435743},
    {{4.841431, -1.160320, -0.103622}, {0.606326, 2.811986, -0.025218}, 0.037693674},
    {{8.343366, 4.124798, -0.403523}, {-1.010774, 1.825662, 0.008415}, 0.011286326},
    {{12.894369, -15.111151, -0.223307}, {1.082791, 0.868713, -0.010832}, 0.001723724},
    {{15.379697, -25.919314, 0.179258}, {0.979090, 0.594698, -0.034755}, 0.002033686},
};

static void advance(struct body *bodies, double dt) {
  for (int i = 0; i < BODIES; i++) {
    for (int j = i + 1; j < BODIES; j++) {
      double d[3], square = 0, pull;
      for (int k = 0; k < 3; k++) {
        d[k] = bodies[i].x[k] - bodies[j].x[k];
        square += d[k] * d[k];
      }
      pull = dt / (square * sqrt(square));
      for (int k = 0; k < 3; k++) {
        bodies[i].v[k] -= d[k] * bodies[j].mass * pull;
        bodies[j].v[k] += d[k] * bodies[i].mass * pull;
      }
    }
  }
  for (int i = 0; i < BODIES; i++) {
    for (int k = 0; k < 3; k++) bodies[i].x[k] += dt * bodies[i].v[k];
  }
}

static uint64_t fold(uint64_t sum, double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return mix(sum, bits);
}

/* scale: steps of a hundredth of a day. */
uint64_t workload_nbody(uint32_t scale) {
  struct body bodies[BODIES];
  uint64_t sum = MIX_START;
  memcpy(bodies, start, sizeof bodies);
  for (uint32_t i = 0; i < scale; i++) advance(bodies, 0.01);
  for (int i = 0; i < BODIES; i++) sum = fold(sum, bodies[i].x[0] + bodies[i].v[1]);
  return sum;
}

/* scale: products of two 200 x 200 matrices. */
uint64_t workload_matmul(uint32_t scale) {
  enum { SIDE = 200 };
  double(*a)[SIDE] = workload_alloc(SIDE * sizeof *a), (*b)[SIDE] = workload_alloc(SIDE * sizeof *b),
  (*c)[SIDE] = workload_alloc(SIDE * sizeof *c);
  uint64_t sum = MIX_START;
  for (int i = 0; i < SIDE; i++) {
    for (int j = 0; j < SIDE; j++) {
      a[i][j] = (i * 3 + j * 7) % 101 / 16.0;
      b[i][j] = (i * 5 - j * 2) % 89 / 7.0;
    }
  }
  for (uint32_t pass = 0; pass < scale; pass++) {
    for (int i = 0; i < SIDE; i++) {
      for (int j = 0; j < SIDE; j++) {
        double total = 0;
        for (int k = 0; k < SIDE; k++) total += a[i][k] * b[k][j];
        c[i][j] = total;
      }
    }
    for (int i = 0; i < SIDE; i++) a[i][(i + (int)pass) % SIDE] = c[i][i] / 65536;
    sum = fold(sum, c[SIDE / 2][pass % SIDE]);
  }
  return sum;
}
