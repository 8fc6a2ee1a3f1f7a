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
