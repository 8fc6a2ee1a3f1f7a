/* The C interface between modrack and native modules: docs/native-modules.md says its rules.
 * Made from crates/modrack-abi by `cargo xtask codegen`; change it there. */

#ifndef MODRACK_H
#define MODRACK_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The major version of the interface. A host loads modules of its own major version only. */
#define MODRACK_ABI_MAJOR 1
/* The minor version of the interface. It grows with every entry that is added to the end of a table. */
#define MODRACK_ABI_MINOR 0
/* Nothing. */
#define MODRACK_TAG_NULL 0
/* True or false: payload.integer is 1 or 0. */
#define MODRACK_TAG_BOOL 1
/* A whole number of 64 bits: payload.integer. */
#define MODRACK_TAG_INT 2
/* A number of 64 bits: payload.number. */
#define MODRACK_TAG_FLOAT 3
/* UTF-8 text: len bytes at payload.bytes, with no zero behind them. */
#define MODRACK_TAG_TEXT 4
/* Bytes: len bytes at payload.bytes. */
#define MODRACK_TAG_BYTES 5
/* Values in order: len values at payload.items. */
#define MODRACK_TAG_LIST 6
/* Values by name, in order: len entries at payload.entries. */
#define MODRACK_TAG_MAP 7
/* Rows of named, typed columns: one table at payload.table, len is 1. */
#define MODRACK_TAG_TABLE 8
/* How many levels lists and maps may be nested. */
#define MODRACK_MAX_DEPTH 64
/* Finer than anybody reads by default. */
#define MODRACK_LEVEL_TRACE 0
/* For whoever looks for a mistake. */
#define MODRACK_LEVEL_DEBUG 1
/* What happens. */
#define MODRACK_LEVEL_INFO 2
/* What may be wrong. */
#define MODRACK_LEVEL_WARN 3
/* What is wrong. */
#define MODRACK_LEVEL_ERROR 4
/* What time_left gives where a call has no deadline. */
#define MODRACK_NO_DEADLINE UINT64_MAX
/* It went well; the output is the result. */
#define MODRACK_OK 0
/* It failed; the output is the error. */
#define MODRACK_FAILED 1
/* The module's code panicked, and its side of the interface caught it; the output is the error. */
#define MODRACK_PANICKED 2
/* The arguments do not fit; the output is the error. */
#define MODRACK_BAD_ARGUMENTS 3
/* The call was given up, as the context said. */
#define MODRACK_CANCELLED 4
/* The call's time was up. */
#define MODRACK_TIMED_OUT 5
/* A flag of a module: its functions may be called from several threads at once. */
#define MODRACK_THREAD_SAFE UINT64_C(1)

typedef struct modrack_head modrack_head;
typedef struct modrack_str modrack_str;
typedef struct modrack_value modrack_value;
typedef union modrack_payload modrack_payload;
typedef struct modrack_entry modrack_entry;
typedef struct modrack_output modrack_output;
typedef struct modrack_table modrack_table;
typedef struct modrack_context modrack_context;
typedef struct modrack_host modrack_host;
typedef struct modrack_function modrack_function;
typedef struct modrack_attribute modrack_attribute;
typedef struct modrack_module modrack_module;
struct ArrowSchema;
struct ArrowArray;

/* Frees what an output points at, and sets its release to null. */
typedef void (*modrack_release_fn)(modrack_output *output);

/* Writes a line to the host's log. */
typedef void (*modrack_log_fn)(const modrack_context *context, uint32_t level, modrack_str message);

/* Gives one of the slot's parameters; nothing when there is none of this name. */
typedef int32_t (*modrack_config_fn)(const modrack_context *context, modrack_str key, modrack_output *output);

/* Calls a function of a slot that the module's slot needs; its main function when function is empty. */
typedef int32_t (*modrack_call_fn)(const modrack_context *context, modrack_str slot, modrack_str function, const modrack_value *args, size_t count, modrack_output *output);

/* How many nanoseconds are left for the call; NO_DEADLINE when there is no deadline. */
typedef uint64_t (*modrack_time_left_fn)(const modrack_context *context);

/* Makes an instance. params is a map; on failure the error goes to error. */
typedef int32_t (*modrack_create_fn)(const modrack_context *context, const modrack_value *params, void **instance, modrack_output *error);

/* Ends an instance. No function of it is called afterwards, and every output of it was released. */
typedef void (*modrack_destroy_fn)(void *instance);

/* A function. The output is null at first; on failure it is the error. */
typedef int32_t (*modrack_function_fn)(void *instance, const modrack_context *context, const modrack_value *args, size_t count, modrack_output *output);

/* Reads an attribute, as a function without arguments. */
typedef int32_t (*modrack_attribute_fn)(void *instance, const modrack_context *context, modrack_output *output);

/* The beginning of every table, the same in all versions. */
struct modrack_head {
    /* How many bytes the table has, this head included. What lies behind is not there. */
    uint32_t size;
    /* The major version that the table was written for. */
    uint16_t major;
    /* The minor version that the table was written for. */
    uint16_t minor;
};

/* UTF-8 text that lies somewhere, with no zero behind it. data may be null where len is 0. */
struct modrack_str {
    /* Where the text begins. */
    const uint8_t *data;
    /* How many bytes it has. */
    size_t len;
};

/* The value itself, or where it lies; the tag says which field is meant. */
union modrack_payload {
    /* Of TAG_BOOL and TAG_INT. */
    int64_t integer;
    /* Of TAG_FLOAT. */
    double number;
    /* Of TAG_TEXT and TAG_BYTES. */
    const uint8_t *bytes;
    /* Of TAG_LIST. */
    const modrack_value *items;
    /* Of TAG_MAP. */
    const modrack_entry *entries;
    /* Of TAG_TABLE. */
    const modrack_table *table;
};

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

/* The type of a table or column. release is null once it was released or moved. */
struct ArrowSchema {
    /* The type, in the format strings of Arrow. */
    const char *format;
    /* The column's name, ending with a zero. */
    const char *name;
    /* Binary metadata, or null. */
    const char *metadata;
    /* Whether values may be missing, keys are sorted, a dictionary is ordered. */
    int64_t flags;
    /* How many parts the type has. */
    int64_t n_children;
    /* The parts. */
    struct ArrowSchema **children;
    /* The type of the values, of a dictionary. */
    struct ArrowSchema *dictionary;
    /* Frees it. */
    void (*release)(struct ArrowSchema *schema);
    /* For whoever made it. */
    void *private_data;
};

/* The values of a table or column. release is null once it was released or moved. */
struct ArrowArray {
    /* How many values there are. */
    int64_t length;
    /* How many of them are missing; -1 where that was not counted. */
    int64_t null_count;
    /* How many values of the buffers come before the first. */
    int64_t offset;
    /* How many buffers there are. */
    int64_t n_buffers;
    /* How many parts there are. */
    int64_t n_children;
    /* The buffers. */
    const void **buffers;
    /* The parts. */
    struct ArrowArray **children;
    /* The values, of a dictionary. */
    struct ArrowArray *dictionary;
    /* Frees it. */
    void (*release)(struct ArrowArray *array);
    /* For whoever made it. */
    void *private_data;
};

#endif

/* A table: a struct type, and the array of its rows.
 *
 * Whoever is given one reads it in place, or takes it over by moving a structure out and setting the release of
 * what is left behind to null, as Arrow says. What was moved may be kept for as long as one likes. */
struct modrack_table {
    /* Its columns. */
    struct ArrowSchema *schema;
    /* Its rows. */
    struct ArrowArray *array;
};

/* A value, read where it lies. What it points at belongs to whoever gave it. */
struct modrack_value {
    /* What the value is: one of the tags. */
    uint32_t tag;
    /* Zero. */
    uint32_t reserved;
    /* How many bytes, values or entries the payload points at. */
    size_t len;
    /* The value itself, or where it lies. */
    modrack_payload payload;
};

/* What a call is given. It is there until the call returns, for the thread that runs the call alone. */
struct modrack_context {
    /* Which entries there are. */
    modrack_head head;
    /* What the module may ask. */
    const modrack_host *host;
    /* A byte that is 1 as soon as nobody wants the call any more; null where it cannot be given up. */
    const uint8_t *cancelled;
};

/* What a module may ask of the host. Outputs are the host's: the module calls their release, once. */
struct modrack_host {
    /* Which entries there are. */
    modrack_head head;
    /* Writes a line to the host's log. */
    modrack_log_fn log;
    /* Gives one of the slot's parameters. */
    modrack_config_fn config;
    /* Calls another slot. */
    modrack_call_fn call;
    /* Says how much time is left. */
    modrack_time_left_fn time_left;
};

/* A function of a module. */
struct modrack_function {
    /* Its name, as callers write it: export_state. */
    modrack_str name;
    /* Calls it. */
    modrack_function_fn call;
};

/* An attribute of a module. */
struct modrack_attribute {
    /* Its name. */
    modrack_str name;
    /* Reads it. */
    modrack_attribute_fn get;
};

/* What a library shows as modrack_module_v1. It never changes once the library is loaded. */
struct modrack_module {
    /* Which entries there are, and for which version they were written. */
    modrack_head head;
    /* THREAD_SAFE, or 0. */
    uint64_t flags;
    /* The functions, function_count of them, each function_size bytes after the one before. */
    const modrack_function *functions;
    /* How many functions there are. */
    uint32_t function_count;
    /* How many bytes the entry of a function has. */
    uint32_t function_size;
    /* The attributes, attribute_count of them, each attribute_size bytes after the one before. */
    const modrack_attribute *attributes;
    /* How many attributes there are. */
    uint32_t attribute_count;
    /* How many bytes the entry of an attribute has. */
    uint32_t attribute_size;
    /* Makes an instance; null when there is nothing to make: then the instance is null. */
    modrack_create_fn create;
    /* Ends an instance; null when there is nothing to end. */
    modrack_destroy_fn destroy;
};

/* One entry of a map. */
struct modrack_entry {
    /* Its name. */
    modrack_str key;
    /* Its value. */
    modrack_value value;
};

/* A value that is handed over: a result, or an error. It belongs to whoever made it until it is released. */
struct modrack_output {
    /* The value. */
    modrack_value value;
    /* Frees it. Null when there is nothing to free: then the value is copied before the call returns. */
    modrack_release_fn release;
    /* For whoever made it: an owner that no other output has until this one is released, or null. Who gives one counted
     * object several times gives each time a new holder of it. */
    void *owner;
};

/* What follows is written by hand: short ways to write a module in C. */

#if defined(__GNUC__)
#define MODRACK_EXPORT __attribute__((visibility("default")))
#define MODRACK_UNUSED __attribute__((unused))
#else
#define MODRACK_EXPORT
#define MODRACK_UNUSED
#endif

/* Text in quotes as a modrack_str. */
#define MODRACK_STR(text) {(const uint8_t *)(text), sizeof(text) - 1}

/* The head of a table of this type. */
#define MODRACK_HEAD(type) {sizeof(type), MODRACK_ABI_MAJOR, MODRACK_ABI_MINOR}

/* The functions and attributes of a module, as arrays. */
#define MODRACK_FUNCTIONS(array)                                                                    \
    .functions = (array), .function_count = sizeof(array) / sizeof((array)[0]),                     \
    .function_size = sizeof((array)[0])
#define MODRACK_ATTRIBUTES(array)                                                                   \
    .attributes = (array), .attribute_count = sizeof(array) / sizeof((array)[0]),                   \
    .attribute_size = sizeof((array)[0])

/* What the module says of itself, once in a library: MODRACK_NOTE("name = \"late\"\n"); */
#define MODRACK_NOTE(said)                                                                          \
    static const struct {                                                                           \
        uint32_t name_size, text_size, type;                                                        \
        char name[8];                                                                               \
        char text[sizeof(said)];                                                                    \
    } modrack_note __attribute__((used, aligned(4), section(".note.modrack"))) = {                  \
        8, sizeof(said) - 1, 1, "modrack", said}

MODRACK_UNUSED static inline modrack_value modrack_null(void) {
    modrack_value value = {MODRACK_TAG_NULL, 0, 0, {0}};
    return value;
}

MODRACK_UNUSED static inline modrack_value modrack_bool(int truth) {
    modrack_value value = {MODRACK_TAG_BOOL, 0, 0, {truth != 0}};
    return value;
}

MODRACK_UNUSED static inline modrack_value modrack_int(int64_t number) {
    modrack_value value = {MODRACK_TAG_INT, 0, 0, {number}};
    return value;
}

MODRACK_UNUSED static inline modrack_value modrack_float(double number) {
    modrack_value value = {MODRACK_TAG_FLOAT, 0, 0, {0}};
    value.payload.number = number;
    return value;
}

MODRACK_UNUSED static inline modrack_value modrack_text(const char *text, size_t len) {
    modrack_value value = {MODRACK_TAG_TEXT, 0, len, {0}};
    value.payload.bytes = (const uint8_t *)text;
    return value;
}

MODRACK_UNUSED static inline modrack_value modrack_bytes(const void *bytes, size_t len) {
    modrack_value value = {MODRACK_TAG_BYTES, 0, len, {0}};
    value.payload.bytes = (const uint8_t *)bytes;
    return value;
}

MODRACK_UNUSED static inline modrack_value modrack_list(const modrack_value *items, size_t len) {
    modrack_value value = {MODRACK_TAG_LIST, 0, len, {0}};
    value.payload.items = items;
    return value;
}

MODRACK_UNUSED static inline modrack_value modrack_map(const modrack_entry *entries, size_t len) {
    modrack_value value = {MODRACK_TAG_MAP, 0, len, {0}};
    value.payload.entries = entries;
    return value;
}

/* A failure with a message that is there for good, as text in quotes is. */
MODRACK_UNUSED static inline int32_t modrack_fail(modrack_output *output, int32_t status,
                                                  const char *message) {
    size_t len = 0;
    while (message[len] != 0) {
        len++;
    }
    output->value = modrack_text(message, len);
    output->release = NULL;
    return status;
}

/* Whether nobody wants the call any more: to be asked now and then by what takes long. */
MODRACK_UNUSED static inline int modrack_is_cancelled(const modrack_context *context) {
    return context->cancelled != NULL && *(const volatile uint8_t *)context->cancelled != 0;
}

#ifdef __cplusplus
}
#endif

#endif
