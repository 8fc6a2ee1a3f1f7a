//! The structures of the header are those of the crate that it was made from, byte for byte.

use std::mem::{offset_of, size_of};

use modrack_abi::{
    ArrowArray, ArrowSchema, Attribute, Context, Entry, Function, Head, Host, Module, Output, Str, Table,
    Value,
};

use crate::Lab;

macro_rules! layouts {
    ($($rust:ident as $c:literal { $($field:ident),* })*) => {
        [$((
            $c,
            size_of::<$rust>(),
            vec![$((stringify!($field), offset_of!($rust, $field))),*],
        )),*]
    };
}

#[test]
fn a_compiler_of_c_lays_out_the_structures_in_the_same_way() {
    let layouts = layouts! {
        Head as "modrack_head" { size, major, minor }
        Str as "modrack_str" { data, len }
        Value as "modrack_value" { tag, reserved, len, payload }
        Entry as "modrack_entry" { key, value }
        Output as "modrack_output" { value, release, owner }
        Table as "modrack_table" { schema, array }
        Context as "modrack_context" { head, host, cancelled }
        Host as "modrack_host" { head, log, config, call, time_left }
        Function as "modrack_function" { name, call }
        Attribute as "modrack_attribute" { name, get }
        Module as "modrack_module" {
            head, flags, functions, function_count, function_size, attributes, attribute_count, attribute_size,
            create, destroy
        }
        ArrowSchema as "struct ArrowSchema" {
            format, name, metadata, flags, n_children, children, dictionary, release, private_data
        }
        ArrowArray as "struct ArrowArray" {
            length, null_count, offset, n_buffers, n_children, buffers, children, dictionary, release, private_data
        }
    };
    let mut source = String::from("#include \"modrack.h\"\n");
    for (name, size, fields) in layouts {
        source.push_str(&format!("_Static_assert(sizeof({name}) == {size}, \"{name}\");\n"));
        for (field, offset) in fields {
            source.push_str(&format!(
                "_Static_assert(offsetof({name}, {field}) == {offset}, \"{name}.{field}\");\n"
            ));
        }
    }
    let lab = Lab::new();
    lab.build_with("layout.so", &source, &[]);
}
