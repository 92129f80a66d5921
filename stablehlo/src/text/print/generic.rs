//! Operations in the form that every operation has, and attributes.

use rjax_ir::{Result, Tensor};

use super::value::{dense, float, list, quoted, symbol};
use super::{Printer, malformed, unsupported};
use crate::bytecode::properties::{self, Kind};
use crate::mlir::{Attribute, Attributes, Operation};

impl Printer<'_> {
    /// `"name"(%a) <{…}> ({…}, {…}) : (T) -> U`.
    pub(super) fn generic(&mut self, operation: &Operation, head: &str, operands: &str) -> Result<()> {
        let mut entries = vec![];
        let composite = match operation.name.as_str() {
            "stablehlo.gather" => Some(("dimension_numbers", "#stablehlo.gather", GATHER)),
            "stablehlo.scatter" => Some(("scatter_dimension_numbers", "#stablehlo.scatter", SCATTER)),
            _ => None,
        };
        if let Some((attribute, kind, fields)) = composite {
            let fields = fields.iter().filter(|(field, _)| operation.attributes.contains_key(*field));
            let field = |&(name, scalar): &(&str, bool)| -> Result<String> {
                let value = if scalar { operation.int(name)?.to_string() } else { list(&operation.ints(name)?) };
                Ok(format!("{name} = {value}"))
            };
            let fields: Vec<String> = fields.map(field).collect::<Result<_>>()?;
            entries.push(format!("{attribute} = {kind}<{}>", fields.join(", ")));
        }
        let in_composite =
            |name: &str| composite.is_some_and(|(.., fields)| fields.iter().any(|(field, _)| *field == name));
        for (name, value) in &operation.attributes {
            // Channels and the like are only written where they say something.
            let silent = matches!(
                (name.as_str(), value),
                ("channel_id" | "channel_type", Attribute::Int(0))
                    | ("use_global_device_ids" | "is_host_transfer" | "has_dynamic_root", Attribute::Bool(false))
                    | ("result_accuracy", _)
                    | (_, Attribute::Opaque)
            );
            if !in_composite(name) && !silent {
                let entry = match (name.as_str(), value) {
                    ("channel_id", Attribute::Int(id)) => {
                        format!("channel_handle = #stablehlo.channel_handle<handle = {id}, type = 0>")
                    }
                    ("channel_type", _) => continue,
                    ("use_global_device_ids", _) => name.clone(),
                    _ => self.entry(operation, name)?,
                };
                entries.push(entry);
            }
        }
        let properties = if entries.is_empty() { String::new() } else { format!(" <{{{}}}>", entries.join(", ")) };
        let mut line = format!("{head}\"{}\"({operands}){properties}", operation.name);
        for (i, region) in operation.regions.iter().enumerate() {
            line.push_str(if i == 0 { " ({" } else { ", {" });
            self.line(&line);
            self.block(region)?;
            line = "}".to_string();
        }
        if !operation.regions.is_empty() {
            line.push(')');
        }
        let outputs = self.types(&operation.results);
        let outputs = if operation.results.len() == 1 { outputs } else { format!("({outputs})") };
        self.line(&format!("{line} : ({}) -> {outputs}", self.types(&operation.operands)));
        Ok(())
    }

    /// `name = value` with the value in the form that the operation's attribute of this name has.
    pub(super) fn entry(&self, operation: &Operation, name: &str) -> Result<String> {
        let ints = || operation.ints(name);
        let is_inherent = properties::all_names().any(|known| known == name);
        let value = match (properties::kind(name), operation.attributes.get(name)) {
            (_, Some(value @ Attribute::Dense(_))) if operation.name == "stablehlo.custom_call" => {
                generic_value(value)?
            }
            (_, Some(value)) if !is_inherent => generic_value(value)?,
            (Kind::Integers, _) => {
                let values: Vec<String> = ints()?.iter().map(i64::to_string).collect();
                if values.is_empty() { "array<i64>".to_string() } else { format!("array<i64: {}>", values.join(", ")) }
            }
            (Kind::Booleans, _) => {
                let values: Vec<&str> = ints()?.iter().map(|&v| if v != 0 { "true" } else { "false" }).collect();
                format!("array<i1: {}>", values.join(", "))
            }
            (Kind::Rows, Some(Attribute::Dense(tensor))) => dense(tensor),
            (Kind::Rows, _) => {
                let values = ints()?;
                dense(&Tensor::from_vec([values.len() / 2, 2], values))
            }
            (Kind::Int64, _) => format!("{} : i64", operation.int(name)?),
            (Kind::Int32, _) => format!("{} : i32", operation.int(name)?),
            (Kind::Boolean, _) => operation.flag(name)?.to_string(),
            (Kind::Float, _) => format!("{} : f32", float(operation.float_or(name, 0.0)?)),
            (Kind::String | Kind::Config, Some(Attribute::String(text))) => match name {
                "callee" | "decomposition" => symbol(text),
                _ => quoted(text),
            },
            (Kind::Enumerant("api_version", codes), Some(Attribute::String(text))) => {
                let code = codes.iter().position(|code| code == text).unwrap_or(1);
                format!("{code} : i32")
            }
            (Kind::Enumerant(kind, _), Some(Attribute::String(text))) => format!("#stablehlo<{kind} {text}>"),
            (Kind::Precisions, Some(Attribute::Array(items))) => {
                let level = |item: &Attribute| match item {
                    Attribute::String(text) => format!("#stablehlo<precision {text}>"),
                    _ => "#stablehlo<precision DEFAULT>".to_string(),
                };
                format!("[{}]", items.iter().map(level).collect::<Vec<_>>().join(", "))
            }
            (Kind::Layouts, Some(Attribute::Array(items))) => {
                let layout = |item: &Attribute| match item {
                    Attribute::Dense(tensor) => dense(tensor).replace("xi64>", "xindex>"),
                    _ => "dense<> : tensor<0xindex>".to_string(),
                };
                format!("[{}]", items.iter().map(layout).collect::<Vec<_>>().join(", "))
            }
            (Kind::Aliases, Some(Attribute::Array(items))) => {
                let aliases = items.iter().map(alias).collect::<Option<Vec<_>>>();
                let aliases = aliases.ok_or_else(|| malformed(operation, "an alias of an output cannot be printed"))?;
                format!("[{}]", aliases.join(", "))
            }
            (Kind::List, Some(Attribute::Array(items))) if name == "called_computations" => {
                let callee =
                    |item: &Attribute| if let Attribute::String(name) = item { symbol(name) } else { String::new() };
                format!("[{}]", items.iter().map(callee).collect::<Vec<_>>().join(", "))
            }
            (_, Some(value)) => generic_value(value)?,
            (_, None) => return Err(malformed(operation, &format!("attribute {name} is missing"))),
        };
        Ok(format!("{name} = {value}"))
    }
}

/// The fields of composite attributes, and whether each is one number.
const GATHER: &[(&str, bool)] = &[
    ("offset_dims", false),
    ("collapsed_slice_dims", false),
    ("operand_batching_dims", false),
    ("start_indices_batching_dims", false),
    ("start_index_map", false),
    ("index_vector_dim", true),
];
const SCATTER: &[(&str, bool)] = &[
    ("update_window_dims", false),
    ("inserted_window_dims", false),
    ("input_batching_dims", false),
    ("scatter_indices_batching_dims", false),
    ("scatter_dims_to_operand_dims", false),
    ("index_vector_dim", true),
];

fn alias(attribute: &Attribute) -> Option<String> {
    let Attribute::Dict(fields) = attribute else { return None };
    let ints = |name: &str| match fields.get(name)? {
        Attribute::Array(items) => {
            let int = |item: &Attribute| if let Attribute::Int(i) = item { Some(*i) } else { None };
            items.iter().map(int).collect::<Option<Vec<i64>>>()
        }
        _ => None,
    };
    let Attribute::Int(operand) = fields.get("operand_index")? else { return None };
    Some(format!(
        "#stablehlo.output_operand_alias<output_tuple_indices = {}, operand_index = {operand}, operand_tuple_indices = {}>",
        list(&ints("output_tuple_indices")?),
        list(&ints("operand_tuple_indices")?)
    ))
}

/// A dictionary of discardable attributes; those that the reader did not keep are left out.
pub(super) fn dictionary(attributes: &Attributes) -> Result<String> {
    let mut entries = vec![];
    for (name, value) in attributes {
        let value = match (name.as_str(), value) {
            (_, Attribute::Opaque) => continue,
            (_, Attribute::Unit) => {
                entries.push(name.clone());
                continue;
            }
            ("tf.aliasing_output" | "mhlo.num_partitions" | "mhlo.num_replicas", Attribute::Int(value)) => {
                format!("{value} : i32")
            }
            (_, value) => generic_value(value)?,
        };
        entries.push(format!("{name} = {value}"));
    }
    Ok(format!("{{{}}}", entries.join(", ")))
}

/// An attribute by what it looks like.
pub(super) fn generic_value(value: &Attribute) -> Result<String> {
    Ok(match value {
        Attribute::Unit => "unit".to_string(),
        Attribute::Bool(value) => value.to_string(),
        Attribute::Int(value) => format!("{value} : i64"),
        Attribute::Float(value) => format!("{} : f64", float(*value)),
        Attribute::String(text) => quoted(text),
        Attribute::Array(items) => {
            let items = items.iter().filter(|item| !matches!(item, Attribute::Opaque)).map(generic_value);
            format!("[{}]", items.collect::<Result<Vec<_>>>()?.join(", "))
        }
        Attribute::Dict(entries) => dictionary(entries)?,
        Attribute::Dense(tensor) => dense(tensor),
        Attribute::DenseOther(ty) => return Err(unsupported(format!("constants of type {ty} cannot be printed"))),
        Attribute::Type(ty) => ty.to_string(),
        Attribute::Opaque => return Err(unsupported("an attribute that was not kept cannot be printed".into())),
    })
}
