/* (C) Copyright 2026- anemoi-ailand contributors.
 * This software is licensed under the terms of the Apache Licence Version 2.0,
 * http://www.apache.org/licenses/LICENSE-2.0.
 *
 * The land emulator for a host in C, C++ or Fortran: open the graph once, step as often as you like.
 */
#ifndef AILAND_STEP_H
#define AILAND_STEP_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ailand ailand;

/* Arguments of the step in the order of the graph. */
enum { AILAND_STATE, AILAND_STATIC, AILAND_FORCING_START, AILAND_FORCING_END, AILAND_PLACE_TIME, AILAND_NEW_STATE,
       AILAND_DIAGNOSTICS, AILAND_N_ARGUMENTS };

/* Open a graph of single precision; threads = 0 leaves the number to onnxruntime. NULL if it fails. */
ailand *ailand_open(const char *path, int threads);

/* Number of columns of an argument; 0 if the graph does not have it (AILAND_PLACE_TIME with the sun outside). */
int ailand_columns(const ailand *land, int argument);

/* One step of 6 h. Arrays lie row by row, (row, column), in the units and the order of the .txt next to the graph; in
 * Fortran that is (column, row). place_time may be NULL if the graph does not have it. Outputs must not overlap
 * inputs. Returns 0 if all is well. Several threads may step with one handle. */
int ailand_step(const ailand *land, int64_t rows, const float *state, const float *fixed, const float *forcing_start,
                const float *forcing_end, const double *place_time, float *new_state, float *diagnostics);

/* What went wrong last in this thread. */
const char *ailand_error(void);

void ailand_close(ailand *land);

#ifdef __cplusplus
}
#endif
#endif
