/* A PJRT plugin that computes nothing: programs return their first argument. It fails as it is told to when it is compiled, and
 * counts what it has made and nobody has freed. Arguments are taken as words, as the C header lays them out on 64-bit machines.
 *
 *   MAJOR, MINOR   the version it claims
 *   FUNCTIONS      how long it says that its function table is
 *   INITIALIZE     what PJRT_Plugin_Initialize fails with
 *   CLIENT         what PJRT_Client_Create fails with
 *   DEVICES        how many devices it has
 *   NO_TABLE       GetPjrtApi returns nothing
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifndef MAJOR
#define MAJOR 0
#endif
#ifndef MINOR
#define MINOR 81
#endif
#ifndef FUNCTIONS
#define FUNCTIONS 118
#endif
#ifndef DEVICES
#define DEVICES 1
#endif

typedef struct { size_t size; void *extensions; size_t word[16]; } Arguments;
typedef struct { int code; const char *text; } Error;
typedef struct { int type; size_t rank, bytes; int64_t dims[8]; char *data; } Buffer;
typedef struct {
    size_t size;
    void *extensions;
    const char *name;
    size_t length;
    int kind;
    int64_t value;
    size_t count;
} Named;
typedef struct { size_t size; void *extensions; const char *code; size_t code_size; } Program;

static int64_t live;
static void *made(size_t bytes) { live++; return calloc(1, bytes); }
static void freed(void *thing) { live--; free(thing); }
static Error *failed(int code, const char *text) {
    Error *error = made(sizeof *error);
    error->code = code;
    error->text = text;
    return error;
}
static int contains(const char *text, size_t size, const char *word) {
    size_t length = strlen(word);
    for (size_t i = 0; i + length <= size; i++)
        if (!memcmp(text + i, word, length)) return 1;
    return 0;
}

static void error_destroy(Arguments *a) { freed((void *)a->word[0]); }
static void error_message(Arguments *a) {
    a->word[1] = (size_t)((Error *)a->word[0])->text;
    a->word[2] = strlen(((Error *)a->word[0])->text);
}
static Error *error_code(Arguments *a) { *(int *)&a->word[1] = ((Error *)a->word[0])->code; return 0; }

static Error *initialize(Arguments *a) {
    (void)a;
#ifdef INITIALIZE
    return failed(13, INITIALIZE);
#endif
    return 0;
}
static Error *attributes(Arguments *a) {
    static int64_t version[3] = {1, 13, 0};
    static Named values[2];
    values[0] = (Named){sizeof(Named), 0, "stablehlo_current_version", 25, 2, (int64_t)version, 3};
    values[1] = (Named){sizeof(Named), 0, "live", 4, 1, live, 1};
    a->word[0] = (size_t)values;
    a->word[1] = 2;
    return 0;
}

static Error *destroy(Arguments *a) { freed((void *)a->word[0]); return 0; }
static Error *await(Arguments *a) { (void)a; return 0; }

static Error *client_create(Arguments *a) {
#ifdef CLIENT
    return failed(5, CLIENT);
#endif
    a->word[6] = (size_t)made(1);
    return 0;
}
static Error *platform_name(Arguments *a) { a->word[1] = (size_t)"fake"; a->word[2] = 4; return 0; }
static Error *devices(Arguments *a) {
    static void *list[1] = {&live};
    a->word[1] = (size_t)list;
    a->word[2] = DEVICES;
    return 0;
}

static Error *compile(const Program *program, size_t *executable) {
    if (contains(program->code, program->code_size, "refused")) return failed(12, "stablehlo.refused is not supported\n");
    *executable = (size_t)made(1);
    *(char *)*executable = contains(program->code, program->code_size, "large");
    return 0;
}
static Error *client_compile(Arguments *a) { return compile((Program *)a->word[1], &a->word[4]); }
static Error *ahead_compile(Arguments *a) { return compile((Program *)a->word[1], &a->word[5]); }
static Error *get_executable(Arguments *a) { a->word[1] = (size_t)made(1); return 0; }
static Error *outputs(Arguments *a) { a->word[1] = 1; return 0; }

static Buffer *buffer(int type, const int64_t *dims, size_t rank, size_t bytes, const void *data) {
    Buffer *made_here = made(sizeof *made_here);
    made_here->type = type;
    made_here->rank = rank;
    made_here->bytes = bytes;
    if (rank) memcpy(made_here->dims, dims, rank * sizeof *dims);
    made_here->data = malloc(bytes);
    memcpy(made_here->data, data, bytes);
    return made_here;
}
static Error *from_host(Arguments *a) {
    const int64_t *dims = (const int64_t *)a->word[3];
    size_t rank = a->word[4], bytes = 4;
    for (size_t i = 0; i < rank; i++) bytes *= (size_t)dims[i];
    if (bytes > 1000000) return failed(8, "Out of memory allocating the array");
    a->word[12] = (size_t)buffer(*(int *)&a->word[2], dims, rank, bytes, (const void *)a->word[1]);
    a->word[11] = (size_t)made(1);
    return 0;
}
static Error *buffer_destroy(Arguments *a) { free(((Buffer *)a->word[0])->data); return destroy(a); }
static Error *element_type(Arguments *a) { *(int *)&a->word[1] = ((Buffer *)a->word[0])->type; return 0; }
static Error *dimensions(Arguments *a) {
    a->word[1] = (size_t)((Buffer *)a->word[0])->dims;
    a->word[2] = ((Buffer *)a->word[0])->rank;
    return 0;
}
static Error *to_host(Arguments *a) {
    Buffer *source = (Buffer *)a->word[0];
    memcpy((void *)a->word[2], source->data, source->bytes);
    a->word[4] = (size_t)made(1);
    return 0;
}
static Error *execute(Arguments *a) {
    if (*(char *)a->word[0]) return failed(8, "Out of memory while running");
    Buffer *first = (*(Buffer ***)a->word[2])[0];
    (*(Buffer ***)a->word[5])[0] = buffer(first->type, first->dims, first->rank, first->bytes, first->data);
    return 0;
}

static Error *topology_create(Arguments *a) {
    if (!contains((const char *)a->word[0], a->word[1], "fake:")) return failed(3, "there is no such topology");
    a->word[4] = (size_t)made(1);
    return 0;
}

static struct {
    size_t size;
    void *extensions;
    size_t version_size;
    void *version_extensions;
    int major, minor;
    void *slot[118];
} table;

const void *GetPjrtApi(void) {
#ifdef NO_TABLE
    return 0;
#endif
    table.size = 40 + FUNCTIONS * sizeof(void *);
    table.version_size = 24;
    table.major = MAJOR;
    table.minor = MINOR;
    table.slot[0] = error_destroy;
    table.slot[1] = error_message;
    table.slot[2] = error_code;
    table.slot[3] = initialize;
    table.slot[4] = attributes;
    table.slot[5] = destroy;
    table.slot[8] = await;
    table.slot[10] = client_create;
    table.slot[11] = destroy;
    table.slot[12] = platform_name;
    table.slot[16] = devices;
    table.slot[20] = client_compile;
    table.slot[22] = from_host;
    table.slot[40] = destroy;
    table.slot[44] = outputs;
    table.slot[50] = destroy;
    table.slot[51] = get_executable;
    table.slot[55] = execute;
    table.slot[58] = buffer_destroy;
    table.slot[59] = element_type;
    table.slot[60] = dimensions;
    table.slot[70] = to_host;
    table.slot[82] = topology_create;
    table.slot[83] = destroy;
    table.slot[89] = ahead_compile;
    return &table;
}
