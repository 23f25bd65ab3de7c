/* (C) Copyright 2026- anemoi-ailand contributors.
 * This software is licensed under the terms of the Apache Licence Version 2.0,
 * http://www.apache.org/licenses/LICENSE-2.0.
 *
 * The part of onnxruntime's C interface that step.c uses, for where its header onnxruntime_c_api.h is not at hand: the
 * Python package brings the library without it.
 *
 * OrtApi is a table of function pointers. New functions are added at its end; the place of one that has been released
 * never changes, since programs that are already compiled count on it. So a function is known by its place and its
 * arguments. Those below are of version 1 of the interface; step.c checks the places when it is compiled, with this
 * header and with the official one alike, and the version of the library when it starts.
 */
#ifndef ORT_MINIMAL_H
#define ORT_MINIMAL_H

#include <stddef.h>
#include <stdint.h>

/* Version of the interface to ask for: that of onnxruntime 1.17, the first that reads operator set 20. */
#define ORT_API_VERSION 17

typedef struct OrtStatus OrtStatus;
typedef struct OrtEnv OrtEnv;
typedef struct OrtSession OrtSession;
typedef struct OrtSessionOptions OrtSessionOptions;
typedef struct OrtRunOptions OrtRunOptions;
typedef struct OrtValue OrtValue;
typedef struct OrtMemoryInfo OrtMemoryInfo;
typedef struct OrtTypeInfo OrtTypeInfo;
typedef struct OrtTensorTypeAndShapeInfo OrtTensorTypeAndShapeInfo;

typedef enum { ORT_LOGGING_LEVEL_ERROR = 3 } OrtLoggingLevel;
typedef enum { OrtArenaAllocator = 1 } OrtAllocatorType;
typedef enum { OrtMemTypeDefault = 0 } OrtMemType;
typedef enum {
  ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT = 1,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE = 11
} ONNXTensorElementDataType;

typedef void (*OrtUnused)(void);

typedef struct OrtApi { /* the number is the place in the table */
  OrtUnused unused_0[2];
  /*  2 */ const char *(*GetErrorMessage)(const OrtStatus *);
  /*  3 */ OrtStatus *(*CreateEnv)(OrtLoggingLevel, const char *, OrtEnv **);
  OrtUnused unused_4[3];
  /*  7 */ OrtStatus *(*CreateSession)(const OrtEnv *, const char *, const OrtSessionOptions *, OrtSession **);
  OrtUnused unused_8[1];
  /*  9 */ OrtStatus *(*Run)(OrtSession *, const OrtRunOptions *, const char *const *, const OrtValue *const *, size_t,
                             const char *const *, size_t, OrtValue **);
  /* 10 */ OrtStatus *(*CreateSessionOptions)(OrtSessionOptions **);
  OrtUnused unused_11[13];
  /* 24 */ OrtStatus *(*SetIntraOpNumThreads)(OrtSessionOptions *, int);
  OrtUnused unused_25[5];
  /* 30 */ OrtStatus *(*SessionGetInputCount)(const OrtSession *, size_t *);
  /* 31 */ OrtStatus *(*SessionGetOutputCount)(const OrtSession *, size_t *);
  OrtUnused unused_32[1];
  /* 33 */ OrtStatus *(*SessionGetInputTypeInfo)(const OrtSession *, size_t, OrtTypeInfo **);
  /* 34 */ OrtStatus *(*SessionGetOutputTypeInfo)(const OrtSession *, size_t, OrtTypeInfo **);
  OrtUnused unused_35[14];
  /* 49 */ OrtStatus *(*CreateTensorWithDataAsOrtValue)(const OrtMemoryInfo *, void *, size_t, const int64_t *, size_t,
                                                       ONNXTensorElementDataType, OrtValue **);
  OrtUnused unused_50[5];
  /* 55 */ OrtStatus *(*CastTypeInfoToTensorInfo)(const OrtTypeInfo *, const OrtTensorTypeAndShapeInfo **);
  OrtUnused unused_56[4];
  /* 60 */ OrtStatus *(*GetTensorElementType)(const OrtTensorTypeAndShapeInfo *, ONNXTensorElementDataType *);
  /* 61 */ OrtStatus *(*GetDimensionsCount)(const OrtTensorTypeAndShapeInfo *, size_t *);
  /* 62 */ OrtStatus *(*GetDimensions)(const OrtTensorTypeAndShapeInfo *, int64_t *, size_t);
  OrtUnused unused_63[6];
  /* 69 */ OrtStatus *(*CreateCpuMemoryInfo)(OrtAllocatorType, OrtMemType, OrtMemoryInfo **);
  OrtUnused unused_70[22];
  /* 92 */ void (*ReleaseEnv)(OrtEnv *);
  /* 93 */ void (*ReleaseStatus)(OrtStatus *);
  /* 94 */ void (*ReleaseMemoryInfo)(OrtMemoryInfo *);
  /* 95 */ void (*ReleaseSession)(OrtSession *);
  /* 96 */ void (*ReleaseValue)(OrtValue *);
  OrtUnused unused_97[1];
  /* 98 */ void (*ReleaseTypeInfo)(OrtTypeInfo *);
  OrtUnused unused_99[1];
  /* 100 */ void (*ReleaseSessionOptions)(OrtSessionOptions *);
} OrtApi;

typedef struct OrtApiBase {
  const OrtApi *(*GetApi)(uint32_t version);
  const char *(*GetVersionString)(void);
} OrtApiBase;

const OrtApiBase *OrtGetApiBase(void);

#endif
