/* The module that the suite of the three languages calls, in C: `lab.py` and `lab.wat` do the same. */

#include "short.h"

#include <stdlib.h>

MODRACK_NOTE(
    "name = 'lab'\n"
    "instances = 'one'\n"
    "wit = '''\n"
    "package suite:lab;\n"
    "world module {\n"
    "    use modrack:types/values@1.0.0.{value, error};\n"
    "    /// Adds two whole numbers.\n"
    "    export add: func(a: s64, b: s64) -> s64;\n"
    "    export same: func(x: value) -> value;\n"
    "    export same-bool: func(x: bool) -> bool;\n"
    "    export same-int: func(x: s64) -> s64;\n"
    "    export same-float: func(x: f64) -> f64;\n"
    "    export same-text: func(x: string) -> string;\n"
    "    export same-bytes: func(x: list<u8>) -> list<u8>;\n"
    "    export same-list: func(x: list<s64>) -> list<s64>;\n"
    "    export same-option: func(x: option<string>) -> option<string>;\n"
    "    export same-pair: func(x: tuple<s64, string>) -> tuple<s64, string>;\n"
    "    export same-map: func(x: list<tuple<string, s64>>) -> list<tuple<string, s64>>;\n"
    "    record point { x: s64, y: s64 }\n"
    "    export same-small: func(x: u8) -> u8;\n"
    "    export total-of: func(point: point) -> s64;\n"
    "    export count: func() -> s64;\n"
    "    export fail: func() -> result<value, error>;\n"
    "    export crash: func() -> s64;\n"
    "    export linger: func() -> s64;\n"
    "    export swell: func(many: s64) -> list<u8>;\n"
    "    export garbled: func() -> string;\n"
    "    export ask: func(function: string, args: list<value>) -> result<value, error>;\n"
    "    export down: func(left: s64) -> result<value, error>;\n"
    "}\n"
    "'''\n"
    "[params.start]\n"
    "type = 's64'\n"
    "default = 0\n");

static int32_t create(const modrack_context *context, const modrack_value *params, void **instance,
                      modrack_output *error) {
    (void)params;
    modrack_output start;
    modrack_str key = MODRACK_STR("start");
    int64_t *counted = malloc(sizeof *counted);
    if (counted == NULL || context->host->config(context, key, &start) != MODRACK_OK) {
        free(counted);
        return modrack_fail(error, MODRACK_FAILED, "there is no memory, or no host");
    }
    *counted = start.value.payload.integer;
    start.release(&start);
    *instance = counted;
    return MODRACK_OK;
}

FUNCTION(add) {
    UNUSED;
    GIVE(modrack_int(args[0].payload.integer + args[1].payload.integer));
}

/* An output without a `release` is copied before the call returns, so it may be the argument itself. */
FUNCTION(same) {
    UNUSED;
    GIVE(args[0]);
}

/* What a language with numbers of eight bits says for its author. */
FUNCTION(same_small) {
    UNUSED;
    if (args[0].payload.integer < 0 || args[0].payload.integer > 255) {
        return modrack_fail(output, MODRACK_BAD_ARGUMENTS, "`x` takes `u8`, and nothing larger");
    }
    GIVE(args[0]);
}

FUNCTION(total_of) {
    UNUSED;
    GIVE(modrack_int(field(&args[0], "x").payload.integer + field(&args[0], "y").payload.integer));
}

FUNCTION(counts) {
    UNUSED;
    GIVE(modrack_int(++*(int64_t *)self));
}

/* What is given without a `release` must be there until it was copied. */
static const modrack_entry cause[] = {
    {MODRACK_STR("class"), TEXT("KeyError")},
    {MODRACK_STR("message"), TEXT("timetable")},
};
static const modrack_value causes[] = {MAP(cause)};
static const modrack_entry failure[] = {
    {MODRACK_STR("class"), TEXT("TooLate")},
    {MODRACK_STR("message"), TEXT("the train has gone")},
    {MODRACK_STR("causes"), LIST(causes)},
};

FUNCTION(fail) {
    UNUSED;
    output->value = modrack_map(failure, 3);
    return MODRACK_FAILED;
}

/* What a language with panics says for its author. */
FUNCTION(crash) {
    UNUSED;
    return modrack_fail(output, MODRACK_PANICKED, "the list is empty");
}

/* Nobody can stop it: it goes on until its time is up, and comes back late. */
FUNCTION(linger) {
    UNUSED;
    while (context->host->time_left(context) > 0) {
    }
    GIVE(modrack_int(0));
}

static void freed(modrack_output *output) {
    free(output->owner);
    output->release = NULL;
}

FUNCTION(swell) {
    UNUSED;
    size_t many = (size_t)args[0].payload.integer;
    output->owner = calloc(many > 0 ? many : 1, 1);
    output->value = modrack_bytes(output->owner, many);
    output->release = freed;
    return MODRACK_OK;
}

FUNCTION(garbled) {
    UNUSED;
    GIVE(modrack_text("\xff\xfe", 2));
}

/* What the host gave is given on as it is, to be released by whoever is last. */
FUNCTION(ask) {
    UNUSED;
    modrack_str slot = MODRACK_STR("other"), function = {args[0].payload.bytes, args[0].len};
    return context->host->call(context, slot, function, args[1].payload.items, args[1].len, output);
}

FUNCTION(down) {
    UNUSED;
    if (args[0].payload.integer == 0) {
        output->value = modrack_int(0);
        return MODRACK_OK;
    }
    modrack_str slot = MODRACK_STR("other"), function = MODRACK_STR("down");
    modrack_value left = modrack_int(args[0].payload.integer - 1);
    return context->host->call(context, slot, function, &left, 1, output);
}

static const modrack_function functions[] = {
    {MODRACK_STR("add"), add},           {MODRACK_STR("same"), same},
    {MODRACK_STR("same_bool"), same},    {MODRACK_STR("same_int"), same},
    {MODRACK_STR("same_float"), same},   {MODRACK_STR("same_text"), same},
    {MODRACK_STR("same_bytes"), same},   {MODRACK_STR("same_list"), same},
    {MODRACK_STR("same_option"), same},  {MODRACK_STR("same_pair"), same},
    {MODRACK_STR("same_map"), same},     {MODRACK_STR("count"), counts},
    {MODRACK_STR("fail"), fail},         {MODRACK_STR("crash"), crash},
    {MODRACK_STR("linger"), linger},     {MODRACK_STR("swell"), swell},
    {MODRACK_STR("garbled"), garbled},   {MODRACK_STR("ask"), ask},
    {MODRACK_STR("down"), down},         {MODRACK_STR("same_small"), same_small},
    {MODRACK_STR("total_of"), total_of},
};

MODULE(.create = create, .destroy = free);
