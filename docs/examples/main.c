/* (C) Copyright 2026- anemoi-ailand contributors.
 * This software is licensed under the terms of the Apache Licence Version 2.0,
 * http://www.apache.org/licenses/LICENSE-2.0.
 *
 * step GRAPH ROWS INPUT OUTPUT [STEPS [THREADS]]
 *
 * INPUT holds state, static, forcing_start, forcing_end (float) and place_time (double), one after the other, OUTPUT
 * gets new_state and diagnostics. With STEPS the state is stepped so often with the same forcing, as a host would.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "step.h"

static void stop(const char *what, const char *why) {
  fprintf(stderr, "step: %s: %s\n", what, why);
  exit(1);
}

int main(int argc, char **argv) {
  if (argc < 5 || argc > 7) stop("usage", "step GRAPH ROWS INPUT OUTPUT [STEPS [THREADS]]");
  const int64_t rows = atoll(argv[2]);
  const int steps = argc > 5 ? atoi(argv[5]) : 1;
  ailand *land = ailand_open(argv[1], argc > 6 ? atoi(argv[6]) : 1);
  if (!land) stop(argv[1], ailand_error());
  if (rows < 1 || steps < 1) stop("usage", "ROWS and STEPS are at least 1");

  void *fields[AILAND_N_ARGUMENTS];
  size_t bytes[AILAND_N_ARGUMENTS];
  FILE *input = fopen(argv[3], "rb");
  if (!input) stop(argv[3], "cannot be read");
  for (int k = 0; k < AILAND_N_ARGUMENTS; k++) {
    bytes[k] = (k == AILAND_PLACE_TIME ? sizeof(double) : sizeof(float)) * (size_t)rows * (size_t)ailand_columns(land, k);
    fields[k] = bytes[k] ? malloc(bytes[k]) : NULL;
    if (bytes[k] && !fields[k]) stop(argv[3], "no memory");
    if (k < AILAND_NEW_STATE && bytes[k] && fread(fields[k], 1, bytes[k], input) != bytes[k])
      stop(argv[3], "is shorter than ROWS rows");
  }
  fclose(input);

  const clock_t began = clock();
  for (int n = 0; n < steps; n++) {
    if (n) memcpy(fields[AILAND_STATE], fields[AILAND_NEW_STATE], bytes[AILAND_STATE]);
    if (ailand_step(land, rows, fields[AILAND_STATE], fields[AILAND_STATIC], fields[AILAND_FORCING_START],
                    fields[AILAND_FORCING_END], fields[AILAND_PLACE_TIME], fields[AILAND_NEW_STATE],
                    fields[AILAND_DIAGNOSTICS]))
      stop("step", ailand_error());
  }
  printf("%d step(s) of %lld row(s), %.2f ms each\n", steps, (long long)rows,
         1e3 * (double)(clock() - began) / CLOCKS_PER_SEC / steps);

  FILE *output = fopen(argv[4], "wb");
  if (!output) stop(argv[4], "cannot be written");
  for (int k = AILAND_NEW_STATE; k < AILAND_N_ARGUMENTS; k++)
    if (fwrite(fields[k], 1, bytes[k], output) != bytes[k]) stop(argv[4], "cannot be written");
  if (fclose(output)) stop(argv[4], "cannot be written");
  for (int k = 0; k < AILAND_N_ARGUMENTS; k++) free(fields[k]);
  ailand_close(land);
  return 0;
}
