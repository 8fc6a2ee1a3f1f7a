//! The kit's types for the records of contracts, held against the contracts: what a host gives is read, and what is
//! given back has the same fields.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use modrack_core::Type;
use modrack_core::contract::Contracts;
use modrack_sdk::contract::{Call, Failure, Finding, Measured, SourceFile};
use modrack_sdk::{FromValue, IntoValue, Row, Value};

/// A value of the type, as a host gives it.
fn sample(ty: &Type) -> Value {
    match ty {
        Type::Any | Type::Int => Value::Int(3),
        Type::Float => Value::Float(0.5),
        Type::Text => "text".into(),
        Type::List(item) => Value::List(vec![sample(item)]),
        Type::Map(value) => Value::Map(Row::from_iter([("name", sample(value))])),
        Type::Option(inner) => sample(inner),
        Type::Record(fields) => {
            Value::Map(fields.iter().map(|field| (field.name.as_str(), sample(&field.ty))).collect())
        }
        other => panic!("no contract has {other}"),
    }
}

fn check<T: for<'v> FromValue<'v> + IntoValue>(contract: &str, function: &str, at: Option<usize>) {
    let contract = Contracts::built_in().iter().find(|there| there.name == contract).unwrap();
    let found = contract.functions.iter().find(|there| there.info.name == function).unwrap();
    let signature = &found.info.signature;
    let given = match at {
        Some(index) => sample(&signature.params[index].ty),
        None => sample(&signature.result),
    };
    let read: Vec<T> = match &given {
        Value::List(_) => given.to().unwrap(),
        one => vec![one.to().unwrap()],
    };
    let back: Vec<Value> = read.into_iter().map(|one| one.into_value().unwrap()).collect();
    let wanted = if let Value::List(items) = given { items } else { vec![given] };
    assert_eq!(back, wanted, "{contract}: {function}");
}

#[test]
fn records_of_contracts_have_their_fields() {
    check::<SourceFile>("analyzer", "analyze", Some(0));
    check::<Finding>("analyzer", "analyze", None);
    check::<Failure>("error-handler", "handle", Some(0));
    check::<Measured>("metric", "metric", Some(0));
    check::<Call>("layer", "before", Some(0));
    check::<Call>("layer", "after", Some(0));
    check::<SourceFile>("source-transform", "rewrite", Some(0));
}
