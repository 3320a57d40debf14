#ifndef GRAFT_CAPI_H
#define GRAFT_CAPI_H
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <stdbool.h>

// The functions of ONNX Runtime's C API that the Go binding does not reach (values of rank 0 and of every element type,
// outputs chosen for each run, symbolic dimensions, the list of providers), by their position in the function table.
// Positions never change once released; TestAPISlots compares these with the header that the binding carries.
enum {
	SlotGetErrorCode = 1,
	SlotGetErrorMessage = 2,
	SlotRun = 9,
	SlotSessionGetInputCount = 30,
	SlotSessionGetOutputCount = 31,
	SlotSessionGetOverridableInitializerCount = 32,
	SlotSessionGetInputTypeInfo = 33,
	SlotSessionGetOutputTypeInfo = 34,
	SlotSessionGetOverridableInitializerTypeInfo = 35,
	SlotSessionGetInputName = 36,
	SlotSessionGetOutputName = 37,
	SlotSessionGetOverridableInitializerName = 38,
	SlotCreateTensorAsOrtValue = 48,
	SlotCreateTensorWithDataAsOrtValue = 49,
	SlotGetTensorMutableData = 51,
	SlotGetStringTensorDataLength = 53,
	SlotGetStringTensorContent = 54,
	SlotCastTypeInfoToTensorInfo = 55,
	SlotGetOnnxTypeFromTypeInfo = 56,
	SlotGetTensorElementType = 60,
	SlotGetDimensionsCount = 61,
	SlotGetDimensions = 62,
	SlotGetSymbolicDimensions = 63,
	SlotGetTensorTypeAndShape = 65,
	SlotGetValueType = 67,
	SlotCreateCpuMemoryInfo = 69,
	SlotMemoryInfoGetName = 71,
	SlotAllocatorFree = 76,
	SlotGetAllocatorWithDefaultOptions = 78,
	SlotReleaseStatus = 93,
	SlotReleaseValue = 96,
	SlotReleaseTypeInfo = 98,
	SlotReleaseTensorTypeAndShapeInfo = 99,
	SlotGetAvailableProviders = 125,
	SlotReleaseAvailableProviders = 126,
	SlotCreateAllocator = 131,
	SlotReleaseAllocator = 132,
	SlotAddRunConfigEntry = 165,
	SlotHasValue = 192,
	SlotGetResizedStringTensorElementBuffer = 252,
	SlotSetUserLoggingFunction = 266,
	SlotSetDeterministicCompute = 273,
	SlotAddExternalInitializersFromFilesInMemory = 279,
	SlotHardwareDevice_Type = 307,
	SlotHardwareDevice_Vendor = 309,
	SlotEpDevice_Device = 316,
	SlotSessionGetMemoryInfoForInputs = 380,
	SlotSessionGetMemoryInfoForOutputs = 381,
	SlotTensorTypeAndShape_HasShape = 390,
	SlotSession_GetEpGraphAssignmentInfo = 407,
	SlotEpAssignedSubgraph_GetEpName = 408,
	SlotEpAssignedSubgraph_GetNodes = 409,
	SlotEpAssignedNode_GetName = 410,
	SlotEpAssignedNode_GetDomain = 411,
	SlotEpAssignedNode_GetOperatorType = 412,
};

typedef const void *const *Table;
typedef void *Status;
typedef struct { void *value; Status status; } Result;
typedef struct { const void *(*GetApi)(uint32_t); const char *(*GetVersionString)(void); } ApiBase;

static inline const ApiBase *api_base(void *function) { return ((const ApiBase *(*)(void))function)(); }
static inline const char *base_version(const ApiBase *b) { return b && b->GetVersionString ? b->GetVersionString() : NULL; }
static inline Table base_table(const ApiBase *b, uint32_t version) { return b && b->GetApi ? (Table)b->GetApi(version) : NULL; }

static inline int error_code(Table t, Status s) { return ((int (*)(Status))t[SlotGetErrorCode])(s); }
static inline const char *error_message(Table t, Status s) { return ((const char *(*)(Status))t[SlotGetErrorMessage])(s); }
static inline void release(Table t, int slot, void *p) { ((void (*)(void *))t[slot])(p); }

static inline Result memory_info(Table t) { // OrtDeviceAllocator, OrtMemTypeDefault
	Result r = {0};
	r.status = ((Status (*)(int, int, void **))t[SlotCreateCpuMemoryInfo])(0, 0, &r.value);
	return r;
}
static inline Result default_allocator(Table t) {
	Result r = {0};
	r.status = ((Status (*)(void **))t[SlotGetAllocatorWithDefaultOptions])(&r.value);
	return r;
}

static inline Result tensor_over(Table t, void *memory, void *data, size_t bytes, const int64_t *dims, size_t rank, int type) {
	Result r = {0};
	static uint64_t empty[2];
	r.status = ((Status (*)(void *, void *, size_t, const int64_t *, size_t, int, void **))t[SlotCreateTensorWithDataAsOrtValue])(
		memory, data ? data : empty, bytes, dims, rank, type, &r.value);
	return r;
}
static inline Result tensor_new(Table t, void *allocator, const int64_t *dims, size_t rank, int type) {
	Result r = {0};
	r.status = ((Status (*)(void *, const int64_t *, size_t, int, void **))t[SlotCreateTensorAsOrtValue])(
		allocator, dims, rank, type, &r.value);
	return r;
}
// path_of is a copy of an ASCII text as ONNX Runtime wants paths.
static inline void *path_of(const char *s) {
	size_t n = strlen(s) + 1;
#ifdef _WIN32
	uint16_t *path = malloc(2 * n);
#else
	char *path = malloc(n);
#endif
	for (size_t i = 0; path && i < n; i++) path[i] = s[i];
	return path;
}
static inline Status add_files(Table t, void *session_options, void *names, void *data, void *sizes, size_t n) {
	return ((Status (*)(void *, void *, void *, void *, size_t))t[SlotAddExternalInitializersFromFilesInMemory])(
		session_options, names, data, sizes, n);
}
static inline Result string_buffer(Table t, void *tensor, size_t index, size_t bytes) {
	Result r = {0};
	r.status = ((Status (*)(void *, size_t, size_t, void **))t[SlotGetResizedStringTensorElementBuffer])(tensor, index, bytes, &r.value);
	return r;
}
static inline Result mutable_data(Table t, void *tensor) {
	Result r = {0};
	r.status = ((Status (*)(void *, void **))t[SlotGetTensorMutableData])(tensor, &r.value);
	return r;
}
static inline Status strings_length(Table t, void *tensor, size_t *bytes) {
	return ((Status (*)(void *, size_t *))t[SlotGetStringTensorDataLength])(tensor, bytes);
}
static inline Status strings_content(Table t, void *tensor, void *to, size_t bytes, size_t *offsets, size_t count) {
	return ((Status (*)(void *, void *, size_t, size_t *, size_t))t[SlotGetStringTensorContent])(tensor, to, bytes, offsets, count);
}
static inline Result type_and_shape(Table t, void *tensor) {
	Result r = {0};
	r.status = ((Status (*)(void *, void **))t[SlotGetTensorTypeAndShape])(tensor, &r.value);
	return r;
}
static inline Status value_type(Table t, void *value, int *type) { return ((Status (*)(void *, int *))t[SlotGetValueType])(value, type); }
static inline Status has_value(Table t, void *value, int *has) { return ((Status (*)(void *, int *))t[SlotHasValue])(value, has); }
static inline Status element_type(Table t, const void *info, int *type) {
	return ((Status (*)(const void *, int *))t[SlotGetTensorElementType])(info, type);
}
static inline Status rank_of(Table t, const void *info, size_t *rank) {
	return ((Status (*)(const void *, size_t *))t[SlotGetDimensionsCount])(info, rank);
}
static inline Status dims_of(Table t, const void *info, int64_t *dims, size_t rank) {
	return ((Status (*)(const void *, int64_t *, size_t))t[SlotGetDimensions])(info, dims, rank);
}
static inline Status symbols_of(Table t, const void *info, void *names, size_t rank) {
	return ((Status (*)(const void *, void *, size_t))t[SlotGetSymbolicDimensions])(info, names, rank);
}
static inline bool has_shape(Table t, const void *info) { return ((bool (*)(const void *))t[SlotTensorTypeAndShape_HasShape])(info); }

static inline Status port_memory(Table t, int slot, void *session, void *infos, size_t count) {
	return ((Status (*)(void *, void *, size_t))t[slot])(session, infos, count);
}
static inline Result new_allocator(Table t, void *session, const void *info) {
	Result r = {0};
	r.status = ((Status (*)(void *, const void *, void **))t[SlotCreateAllocator])(session, info, &r.value);
	return r;
}

static inline Status port_count(Table t, int slot, void *session, size_t *count) {
	return ((Status (*)(void *, size_t *))t[slot])(session, count);
}
static inline Result port_name(Table t, int slot, void *session, size_t i, void *allocator) {
	Result r = {0};
	r.status = ((Status (*)(void *, size_t, void *, void **))t[slot])(session, i, allocator, &r.value);
	return r;
}
static inline Result port_type(Table t, int slot, void *session, size_t i) {
	Result r = {0};
	r.status = ((Status (*)(void *, size_t, void **))t[slot])(session, i, &r.value);
	return r;
}
static inline Status onnx_type(Table t, void *info, int *type) { return ((Status (*)(void *, int *))t[SlotGetOnnxTypeFromTypeInfo])(info, type); }
static inline Result tensor_info(Table t, void *info) { // owned by info
	Result r = {0};
	r.status = ((Status (*)(void *, void **))t[SlotCastTypeInfoToTensorInfo])(info, &r.value);
	return r;
}
static inline Status allocator_free(Table t, void *allocator, void *p) { return ((Status (*)(void *, void *))t[SlotAllocatorFree])(allocator, p); }

static inline Result providers(Table t, int *count) {
	Result r = {0};
	r.status = ((Status (*)(void **, int *))t[SlotGetAvailableProviders])(&r.value, count);
	return r;
}
static inline Status release_providers(Table t, void *names, int count) {
	return ((Status (*)(void *, int))t[SlotReleaseAvailableProviders])(names, count);
}

// list_of calls a function that gives an array that its first argument owns.
static inline Result list_of(Table t, int slot, const void *of, size_t *count) {
	Result r = {0};
	r.status = ((Status (*)(const void *, void **, size_t *))t[slot])(of, &r.value, count);
	return r;
}
// text_of calls a function that gives a text that its first argument owns.
static inline Result text_of(Table t, int slot, const void *of) {
	Result r = {0};
	r.status = ((Status (*)(const void *, void **))t[slot])(of, &r.value);
	return r;
}

// A log keeps, while a session is opened, the names of nodes that ONNX Runtime says it leaves to the CPU although the
// provider could run them, one a line. It must outlive the session.
struct log;
struct log *log_new(bool loud);
const char *log_end(struct log *l); // what was kept; nothing is kept after it
void log_free(struct log *l);
Status log_attach(Table t, void *session_options, struct log *l);

// How the process handles signals; free it with free.
struct signals;
struct signals *signals_save(void);
int signals_restore(const struct signals *s); // how many were changed

static inline void *ep_hardware(Table t, void *device) { return ((void *(*)(void *))t[SlotEpDevice_Device])(device); }
static inline int hardware_type(Table t, void *hardware) { return ((int (*)(void *))t[SlotHardwareDevice_Type])(hardware); }
static inline const char *hardware_vendor(Table t, void *hardware) {
	return ((const char *(*)(void *))t[SlotHardwareDevice_Vendor])(hardware);
}

static inline Status configure_run(Table t, void *options, const char *key, const char *value) {
	return ((Status (*)(void *, const char *, const char *))t[SlotAddRunConfigEntry])(options, key, value);
}
static inline Status deterministic(Table t, void *session_options) {
	return ((Status (*)(void *, bool))t[SlotSetDeterministicCompute])(session_options, true);
}
static inline Status run(Table t, void *session, void *options, void *input_names, void *inputs, size_t n,
		void *output_names, size_t m, void *outputs) {
	return ((Status (*)(void *, void *, void *, void *, size_t, void *, size_t, void *))t[SlotRun])(
		session, options, input_names, inputs, n, output_names, m, outputs);
}
#endif
