/* (C) Copyright 2026- anemoi-ailand contributors.
 * This software is licensed under the terms of the Apache Licence Version 2.0,
 * http://www.apache.org/licenses/LICENSE-2.0.
 *
 * step.h by onnxruntime's C interface. With -DAILAND_OFFICIAL_HEADER the official onnxruntime_c_api.h is taken.
 */
#include "step.h"

#include <stdio.h>
#include <stdlib.h>

#ifdef AILAND_OFFICIAL_HEADER
#include <onnxruntime_c_api.h>
#else
#include "ort_minimal.h"
#endif

#define AT(function, place) \
  _Static_assert(offsetof(OrtApi, function) == (place) * sizeof(void *), #function " is not at its place")
AT(GetErrorMessage, 2);
AT(CreateEnv, 3);
AT(CreateSession, 7);
AT(Run, 9);
AT(CreateSessionOptions, 10);
AT(SetIntraOpNumThreads, 24);
AT(SessionGetInputCount, 30);
AT(SessionGetOutputCount, 31);
AT(SessionGetInputTypeInfo, 33);
AT(SessionGetOutputTypeInfo, 34);
AT(CreateTensorWithDataAsOrtValue, 49);
AT(CastTypeInfoToTensorInfo, 55);
AT(GetTensorElementType, 60);
AT(GetDimensionsCount, 61);
AT(GetDimensions, 62);
AT(CreateCpuMemoryInfo, 69);
AT(ReleaseEnv, 92);
AT(ReleaseStatus, 93);
AT(ReleaseMemoryInfo, 94);
AT(ReleaseSession, 95);
AT(ReleaseValue, 96);
AT(ReleaseTypeInfo, 98);
AT(ReleaseSessionOptions, 100);

enum { N_INPUTS = AILAND_NEW_STATE, N_OUTPUTS = AILAND_N_ARGUMENTS - N_INPUTS };

static const char *const NAMES[AILAND_N_ARGUMENTS] = {
    "state", "static", "forcing_start", "forcing_end", "place_time", "new_state", "diagnostics"};

struct ailand {
  const OrtApi *api;
  OrtEnv *env;
  OrtSession *session;
  OrtMemoryInfo *memory;
  size_t n_inputs; /* without place_time where the sun is outside */
  int columns[AILAND_N_ARGUMENTS];
};

static _Thread_local char message[512];

const char *ailand_error(void) { return message; }

/* Keep the message of a status and release it; 0 if there is none. */
static int failed(const OrtApi *api, OrtStatus *status) {
  if (!status) return 0;
  snprintf(message, sizeof message, "onnxruntime: %s", api->GetErrorMessage(status));
  api->ReleaseStatus(status);
  return 1;
}

static ONNXTensorElementDataType type_of(int argument) {
  return argument == AILAND_PLACE_TIME ? ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE : ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
}

/* Read the columns of an argument from the graph, and check its type and that it has two dimensions. */
static int read_columns(ailand *land, int argument) {
  const OrtApi *api = land->api;
  const OrtTensorTypeAndShapeInfo *tensor = NULL;
  OrtTypeInfo *info = NULL;
  ONNXTensorElementDataType type;
  size_t n = 0;
  int64_t shape[2] = {0, 0};
  int output = argument >= N_INPUTS;
  OrtStatus *status = output ? api->SessionGetOutputTypeInfo(land->session, (size_t)(argument - N_INPUTS), &info)
                             : api->SessionGetInputTypeInfo(land->session, (size_t)argument, &info);
  if (failed(api, status)) return 1;
  int bad = failed(api, api->CastTypeInfoToTensorInfo(info, &tensor)) ||
            failed(api, api->GetTensorElementType(tensor, &type)) || failed(api, api->GetDimensionsCount(tensor, &n));
  if (!bad && (n != 2 || type != type_of(argument))) {
    snprintf(message, sizeof message, "'%s' has %zu dimensions and type %d; export with --precision float32",
             NAMES[argument], n, (int)type);
    bad = 1;
  }
  bad = bad || failed(api, api->GetDimensions(tensor, shape, 2));
  land->columns[argument] = (int)shape[1];
  api->ReleaseTypeInfo(info);
  return bad;
}

static int open_session(ailand *land, const char *path, int threads) {
  const OrtApi *api = land->api;
  OrtSessionOptions *options = NULL;
  size_t n_outputs = 0;
  if (failed(api, api->CreateEnv(ORT_LOGGING_LEVEL_ERROR, "ailand", &land->env)) ||
      failed(api, api->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &land->memory)) ||
      failed(api, api->CreateSessionOptions(&options)))
    return 1;
  int bad = failed(api, api->SetIntraOpNumThreads(options, threads)) ||
            failed(api, api->CreateSession(land->env, path, options, &land->session)) ||
            failed(api, api->SessionGetInputCount(land->session, &land->n_inputs)) ||
            failed(api, api->SessionGetOutputCount(land->session, &n_outputs));
  api->ReleaseSessionOptions(options);
  if (bad) return 1;
  if (land->n_inputs < N_INPUTS - 1 || land->n_inputs > N_INPUTS || n_outputs != N_OUTPUTS) {
    snprintf(message, sizeof message, "'%s' is not a graph of anemoi-ailand: %zu inputs, %zu outputs", path,
             land->n_inputs, n_outputs);
    return 1;
  }
  for (int k = 0; k < AILAND_N_ARGUMENTS; k++)
    if ((k >= N_INPUTS || (size_t)k < land->n_inputs) && read_columns(land, k)) return 1;
  return 0;
}

ailand *ailand_open(const char *path, int threads) {
  const OrtApiBase *base = OrtGetApiBase();
  ailand *land = calloc(1, sizeof *land);
  if (!land) {
    snprintf(message, sizeof message, "no memory");
    return NULL;
  }
  land->api = base->GetApi(ORT_API_VERSION);
  if (!land->api) {
    snprintf(message, sizeof message, "onnxruntime %s is too old: version 1.%d of its interface is needed",
             base->GetVersionString(), ORT_API_VERSION);
    free(land);
    return NULL;
  }
  if (open_session(land, path, threads)) {
    ailand_close(land);
    return NULL;
  }
  return land;
}

int ailand_columns(const ailand *land, int argument) {
  return argument < 0 || argument >= AILAND_N_ARGUMENTS ? 0 : land->columns[argument];
}

int ailand_step(const ailand *land, int64_t rows, const float *state, const float *fixed, const float *forcing_start,
                const float *forcing_end, const double *place_time, float *new_state, float *diagnostics) {
  const void *data[AILAND_N_ARGUMENTS] = {state,      fixed,     forcing_start, forcing_end,
                                          place_time, new_state, diagnostics};
  const OrtApi *api = land->api;
  OrtValue *values[AILAND_N_ARGUMENTS] = {NULL};
  int bad = 0;
  for (int k = 0; k < AILAND_N_ARGUMENTS && !bad; k++) {
    if (k < N_INPUTS && (size_t)k >= land->n_inputs) continue;
    if (!data[k] || rows < 1) {
      snprintf(message, sizeof message, "'%s' is missing, or there is no row", NAMES[k]);
      bad = 1;
      break;
    }
    const int64_t shape[2] = {rows, land->columns[k]};
    const size_t item = k == AILAND_PLACE_TIME ? sizeof(double) : sizeof(float);
    /* the tensor lies in the memory of the host; inputs are not written to */
    bad = failed(api, api->CreateTensorWithDataAsOrtValue(land->memory, (void *)data[k],
                                                          item * (size_t)rows * (size_t)shape[1], shape, 2, type_of(k),
                                                          &values[k]));
  }
  if (!bad)
    bad = failed(api, api->Run(land->session, NULL, NAMES, (const OrtValue *const *)values, land->n_inputs,
                               NAMES + N_INPUTS, N_OUTPUTS, values + N_INPUTS));
  for (int k = 0; k < AILAND_N_ARGUMENTS; k++)
    if (values[k]) api->ReleaseValue(values[k]);
  return bad;
}

void ailand_close(ailand *land) {
  if (!land) return;
  if (land->session) land->api->ReleaseSession(land->session);
  if (land->memory) land->api->ReleaseMemoryInfo(land->memory);
  if (land->env) land->api->ReleaseEnv(land->env);
  free(land);
}
