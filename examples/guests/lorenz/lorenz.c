//! Follow the Lorenz attractor and measure how fast neighbouring orbits part.
//!
//!     lorenz [SIGMA RHO BETA [TIME]]
//!
//! Integrates Lorenz's equations ("Deterministic nonperiodic flow", Journal of the Atmospheric
//! Sciences 20, 1963) and their linearisation with the classical Runge-Kutta method of fourth
//! order. Writes the orbit to /out/lorenz.csv and prints the largest Lyapunov exponent (Benettin's
//! method), with the spread of its last half. Ends with 1 if /out cannot be written and with 2 if
//! the arguments make no sense. Defaults: 10 28 2.6666666666666665 200.

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/// Length of one step; the error of a step is of the order of its fifth power.
static const double STEP = 0.005;
/// Time before anything is measured, so that the orbit is on the attractor.
static const double SETTLE = 20.0;
/// Steps between two rows of the orbit.
enum { STEPS_PER_ROW = 10, COORDINATES = 6 };

typedef struct {
    double sigma, rho, beta;
} Parameters;

/// Coordinates 0 to 2 are the orbit, 3 to 5 a small difference carried along with it.
typedef struct {
    double at[COORDINATES];
} State;

static State flow(const Parameters *p, const State *s) {
    const double x = s->at[0], y = s->at[1], z = s->at[2];
    const double u = s->at[3], v = s->at[4], w = s->at[5];
    return (State){{
        p->sigma * (y - x),
        x * (p->rho - z) - y,
        x * y - p->beta * z,
        p->sigma * (v - u),
        u * (p->rho - z) - x * w - v,
        u * y + x * v - p->beta * w,
    }};
}

static State moved(const State *s, const State *direction, double by) {
    State result = *s;
    for (int i = 0; i < COORDINATES; i++)
        result.at[i] += by * direction->at[i];
    return result;
}

static void step(const Parameters *p, State *s) {
    const State k1 = flow(p, s);
    const State s2 = moved(s, &k1, STEP / 2);
    const State k2 = flow(p, &s2);
    const State s3 = moved(s, &k2, STEP / 2);
    const State k3 = flow(p, &s3);
    const State s4 = moved(s, &k3, STEP);
    const State k4 = flow(p, &s4);
    for (int i = 0; i < COORDINATES; i++)
        s->at[i] += STEP / 6 * (k1.at[i] + 2 * k2.at[i] + 2 * k3.at[i] + k4.at[i]);
}

/// Brings the difference back to length one and gives the logarithm of what it was.
static double renormalise(State *s) {
    const double length = sqrt(s->at[3] * s->at[3] + s->at[4] * s->at[4] + s->at[5] * s->at[5]);
    for (int i = 3; i < COORDINATES; i++)
        s->at[i] /= length;
    return log(length);
}

static int number(const char *text, double low, double high, double *value) {
    char *end;
    *value = strtod(text, &end);
    if (end == text || *end != '\0' || !(*value >= low && *value <= high)) {
        fprintf(stderr, "lorenz: '%s' is not a number between %g and %g\n", text, low, high);
        return 0;
    }
    return 1;
}

static int parse(int argc, char **argv, Parameters *p, double *time) {
    if (argc != 1 && argc != 4 && argc != 5) {
        fprintf(stderr, "usage: lorenz [SIGMA RHO BETA [TIME]]\n");
        return 0;
    }
    if (argc == 1)
        return 1;
    return number(argv[1], 0, 100, &p->sigma) && number(argv[2], 0, 500, &p->rho)
        && number(argv[3], 0, 100, &p->beta)
        && (argc < 5 || number(argv[4], 10, 100000, time));
}

/// Follows the orbit for `time` and writes it to `out`. Gives 0 if the orbit left the numbers.
static int follow(const Parameters *p, double time, FILE *out, double *exponent, double *spread) {
    State s = {{1, 1, 1, 1, 0, 0}};
    const long settle = lround(SETTLE / STEP), steps = lround(time / STEP);
    for (long i = 0; i < settle; i++) {
        step(p, &s);
        renormalise(&s);
    }
    double sum = 0, least = INFINITY, most = -INFINITY;
    fprintf(out, "time,x,y,z\n");
    for (long i = 1; i <= steps; i++) {
        step(p, &s);
        sum += renormalise(&s);
        if (!isfinite(sum) || !isfinite(s.at[0]))
            return 0;
        const double now = (double)i * STEP, running = sum / now;
        if (i > steps / 2) {
            least = fmin(least, running);
            most = fmax(most, running);
        }
        if (i % STEPS_PER_ROW == 0)
            fprintf(out, "%.3f,%.12g,%.12g,%.12g\n", now, s.at[0], s.at[1], s.at[2]);
    }
    *exponent = sum / ((double)steps * STEP);
    *spread = (most - least) / 2;
    return 1;
}

int main(int argc, char **argv) {
    Parameters p = {10, 28, 8.0 / 3.0};
    double time = 200, exponent, spread;
    if (!parse(argc, argv, &p, &time))
        return 2;
    FILE *out = fopen("/out/lorenz.csv", "w");
    if (!out) {
        perror("lorenz: /out/lorenz.csv");
        return 1;
    }
    const int finite = follow(&p, time, out, &exponent, &spread);
    if (fclose(out) != 0) {
        perror("lorenz: /out/lorenz.csv");
        return 1;
    }
    if (!finite) {
        fprintf(stderr, "lorenz: the orbit grew beyond all numbers; the step is too long for it\n");
        return 1;
    }
    printf("sigma %g, rho %g, beta %g: largest Lyapunov exponent %.3f ± %.3f (%s)\n", p.sigma, p.rho,
           p.beta, exponent, spread, exponent > 2 * spread ? "chaotic" : "not chaotic");
    return 0;
}
