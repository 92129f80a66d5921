//! The printer: the forms that the StableHLO tools print, pretty where an operation has a pretty form and generic elsewhere.

use std::collections::HashMap;
use std::fmt::Write as _;

use rjax_ir::{DType, Error, ErrorKind, Result, Scalar, Tensor};

use crate::bytecode::properties::{self, Kind};
use crate::mlir::{Attribute, Attributes, Function, Module, Operation, Region, Type, Value, element_name};

/// Constants of more elements are printed as their bytes.
const LIST_LIMIT: usize = 64;
const GROWS: &str = "a string grows";

/// The text of a module. Attributes that the reader did not keep are left out; operations that lack an attribute which has
/// no default are errors.
pub fn print(module: &Module) -> Result<String> {
    let mut printer =
        Printer { module, text: String::new(), indent: 0, names: HashMap::new(), next: 0, next_argument: 0 };
    printer.module()?;
    Ok(printer.text)
}

struct Printer<'a> {
    module: &'a Module,
    text: String,
    indent: usize,
    names: HashMap<Value, String>,
    next: usize,
    next_argument: usize,
}

fn unsupported(message: String) -> Error {
    Error::new(ErrorKind::Unsupported, format!("stablehlo: {message}"))
}

fn malformed(operation: &Operation, what: &str) -> Error {
    Error::new(ErrorKind::Malformed, format!("{}: {what}", operation.name)).at(&operation.location)
}

/// Operations whose operands and results all have one type, which is then printed once.
const ONE_TYPE: &[&str] = &[
    "abs",
    "add",
    "and",
    "atan2",
    "cbrt",
    "ceil",
    "clamp",
    "cosine",
    "count_leading_zeros",
    "divide",
    "exponential",
    "exponential_minus_one",
    "floor",
    "log",
    "log_plus_one",
    "logistic",
    "maximum",
    "minimum",
    "multiply",
    "negate",
    "not",
    "or",
    "popcnt",
    "power",
    "remainder",
    "reverse",
    "round_nearest_afz",
    "round_nearest_even",
    "rsqrt",
    "shift_left",
    "shift_right_arithmetic",
    "shift_right_logical",
    "sign",
    "sine",
    "sqrt",
    "subtract",
    "tan",
    "tanh",
    "xor",
];

impl Printer<'_> {
    fn line(&mut self, text: &str) {
        self.text.push_str(&"  ".repeat(self.indent));
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn ty(&self, value: Value) -> &Type {
        self.module.value_type(value)
    }

    fn types(&self, values: &[Value]) -> String {
        values.iter().map(|&value| self.ty(value).to_string()).collect::<Vec<_>>().join(", ")
    }

    fn name(&self, value: Value) -> Result<&str> {
        let name = self.names.get(&value).map(String::as_str);
        name.ok_or_else(|| unsupported(format!("value {} is used before it is defined", value.0)))
    }

    fn names(&self, values: &[Value]) -> Result<String> {
        Ok(values.iter().map(|&value| self.name(value)).collect::<Result<Vec<_>>>()?.join(", "))
    }

    fn argument(&mut self, value: Value) -> String {
        let name = format!("%arg{}", self.next_argument);
        self.next_argument += 1;
        self.names.insert(value, name.clone());
        name
    }

    fn module(&mut self) -> Result<()> {
        let attributes = dictionary(&self.module.attributes)?;
        let attributes = if attributes == "{}" { String::new() } else { format!("attributes {attributes} ") };
        self.line(&format!("module {attributes}{{"));
        self.indent += 1;
        for function in &self.module.functions {
            (self.next, self.next_argument) = (0, 0);
            self.function(function)?;
        }
        self.indent -= 1;
        self.line("}");
        Ok(())
    }

    fn function(&mut self, function: &Function) -> Result<()> {
        let annotated = |ty: &Type, attributes: Option<&Attributes>| -> Result<String> {
            let attributes = attributes.map(dictionary).transpose()?.filter(|text| text != "{}");
            Ok(attributes.map_or(ty.to_string(), |attributes| format!("{ty} {attributes}")))
        };
        let mut arguments = vec![];
        for (i, &argument) in function.body.arguments.iter().enumerate() {
            let name = self.argument(argument);
            let ty = annotated(self.ty(argument), function.argument_attributes.get(i))?;
            arguments.push(format!("{name}: {ty}"));
        }
        let results = (function.results.iter().enumerate())
            .map(|(i, ty)| annotated(ty, function.result_attributes.get(i)))
            .collect::<Result<Vec<_>>>()?;
        let results = match &results[..] {
            [] => String::new(),
            [one] if matches!(function.results[0], Type::Tensor { .. }) && !one.contains('{') => format!(" -> {one}"),
            several => format!(" -> ({})", several.join(", ")),
        };
        let visibility = if function.public { "public" } else { "private" };
        let (name, arguments) = (symbol(&function.name), arguments.join(", "));
        self.line(&format!("func.func {visibility} {name}({arguments}){results} {{"));
        self.operations(&function.body, "return")?;
        self.line("}");
        Ok(())
    }

    /// The operations of a region, one level further in.
    fn operations(&mut self, region: &Region, terminator: &str) -> Result<()> {
        self.indent += 1;
        for operation in &region.operations {
            self.operation(operation, terminator)?;
        }
        self.indent -= 1;
        Ok(())
    }

    /// `^bb0(%arg0: T, …):` and the operations, between braces of which the first has been printed.
    fn block(&mut self, region: &Region) -> Result<()> {
        if !region.arguments.is_empty() {
            let arguments: Vec<String> = (region.arguments.iter())
                .map(|&argument| {
                    let name = self.argument(argument);
                    format!("{name}: {}", self.ty(argument))
                })
                .collect();
            self.line(&format!("^bb0({}):", arguments.join(", ")));
        }
        self.operations(region, "stablehlo.return")
    }

    fn operation(&mut self, operation: &Operation, terminator: &str) -> Result<()> {
        let name = operation.name.strip_prefix("stablehlo.").unwrap_or(&operation.name).to_string();
        let mut head = String::new();
        if name == "while" {
            return self.while_loop(operation);
        }
        let operands = self.names(&operation.operands)?;
        if let [only] = operation.results[..] {
            let result = format!("%{}", self.next);
            self.names.insert(only, result.clone());
            write!(head, "{result} = ").expect(GROWS);
        } else if operation.results.len() > 1 {
            write!(head, "%{}:{} = ", self.next, operation.results.len()).expect(GROWS);
            for (i, &result) in operation.results.iter().enumerate() {
                self.names.insert(result, format!("%{}#{i}", self.next));
            }
        }
        if !operation.results.is_empty() {
            self.next += 1;
        }
        let parameters = match self.pretty(operation, &name)? {
            Some(parameters) => parameters,
            None => return self.generic(operation, &head, &operands),
        };
        let Parameters { body, shown } = parameters;
        let extra = self.extra(operation, &shown)?;
        let types = self.signature(operation, &name);
        let written = match name.as_str() {
            "return" => terminator.to_string(),
            // Inside an operation of another dialect `call` alone would not be understood.
            "func.call" => name.clone(),
            _ => format!("stablehlo.{name}"),
        };
        self.line(&format!("{head}{written} {body}{extra}{types}"));
        Ok(())
    }

    /// ` : T` or ` : (T, …) -> U`.
    fn signature(&self, operation: &Operation, name: &str) -> String {
        let (operands, results) = (&operation.operands, &operation.results);
        match name {
            "constant" => return String::new(),
            "return" if operands.is_empty() => return String::new(),
            "return" => return format!(" : {}", self.types(operands)),
            "iota" => return format!(" : {}", self.types(results)),
            "select" => {
                let [pred, case, ..] = operands[..] else { return String::new() };
                return format!(" : {}, {}", self.ty(pred), self.ty(case));
            }
            _ => {}
        }
        if let (true, [result]) = (ONE_TYPE.contains(&name), &results[..])
            && operands.iter().all(|&operand| self.ty(operand) == self.ty(*result))
        {
            return format!(" : {}", self.types(results));
        }
        if name == "reduce_precision" {
            return format!(" : {}", self.types(results));
        }
        let outputs = self.types(results);
        let outputs = if results.len() == 1 { outputs } else { format!("({outputs})") };
        format!(" : ({}) -> {outputs}", self.types(operands))
    }

    /// Attributes that the pretty form does not show, in a dictionary.
    fn extra(&self, operation: &Operation, shown: &[&str]) -> Result<String> {
        let mut entries = vec![];
        for (name, value) in &operation.attributes {
            let is_default = match (name.as_str(), value) {
                (_, Attribute::Opaque) => true,
                ("feature_group_count" | "batch_group_count", _) => false,
                ("compare_type", Attribute::String(text)) => text == "NOTYPE",
                ("backend_config", Attribute::String(text)) => text.is_empty(),
                ("api_version", Attribute::String(text)) => text == "ORIGINAL",
                ("has_side_effect", Attribute::Bool(value)) => !value,
                (
                    "called_computations"
                    | "operand_layouts"
                    | "result_layouts"
                    | "output_operand_aliases"
                    | "result_tilings",
                    Attribute::Array(items),
                ) => items.is_empty(),
                ("version", Attribute::Int(0)) => true,
                (_, Attribute::Type(Type::Other(name))) => name == "none",
                _ => false,
            };
            if !is_default && !shown.contains(&name.as_str()) {
                entries.push(self.entry(operation, name)?);
            }
        }
        Ok(if entries.is_empty() { String::new() } else { format!(" {{{}}}", entries.join(", ")) })
    }

    /// The operands and parameters of the pretty form; `None` for operations that are printed in the generic form.
    fn pretty(&self, operation: &Operation, name: &str) -> Result<Option<Parameters>> {
        let operands = self.names(&operation.operands)?;
        let plain = |body: String, shown: &'static [&'static str]| Ok(Some(Parameters { body, shown: shown.to_vec() }));
        let ints = |attribute: &str| operation.ints(attribute).map(|values| list(&values));
        if !operation.regions.is_empty() {
            return Ok(None);
        }
        if ONE_TYPE.contains(&name) && name != "reverse" {
            return plain(operands, &["result_accuracy"]);
        }
        match name {
            "constant" => plain(dense(operation.dense("value")?), &["value"]),
            "convert"
            | "reshape"
            | "bitcast_convert"
            | "real"
            | "imag"
            | "is_finite"
            | "complex"
            | "select"
            | "return"
            | "dynamic_update_slice" => plain(operands, &[]),
            "compare" => {
                let kind = match operation.string("compare_type") {
                    Ok("NOTYPE") | Err(_) => String::new(),
                    Ok(kind) => format!(", {kind}"),
                };
                let direction = operation.string("comparison_direction")?;
                plain(format!("{direction}, {operands}{kind}"), &["comparison_direction", "compare_type"])
            }
            "iota" => plain(format!("dim = {}", operation.int("iota_dimension")?), &["iota_dimension"]),
            "broadcast_in_dim" => {
                plain(format!("{operands}, dims = {}", ints("broadcast_dimensions")?), &["broadcast_dimensions"])
            }
            "transpose" => plain(format!("{operands}, dims = {}", ints("permutation")?), &["permutation"]),
            "reverse" => plain(format!("{operands}, dims = {}", ints("dimensions")?), &["dimensions"]),
            "concatenate" => plain(format!("{operands}, dim = {}", operation.int("dimension")?), &["dimension"]),
            "dynamic_slice" => plain(format!("{operands}, sizes = {}", ints("slice_sizes")?), &["slice_sizes"]),
            "pad" => {
                let (low, high) = (ints("edge_padding_low")?, ints("edge_padding_high")?);
                let body = format!("{operands}, low = {low}, high = {high}, interior = {}", ints("interior_padding")?);
                plain(body, &["edge_padding_low", "edge_padding_high", "interior_padding"])
            }
            "slice" => {
                let starts = operation.ints("start_indices")?;
                let (limits, strides) = (operation.ints("limit_indices")?, operation.ints("strides")?);
                let range = |i: usize| match strides.get(i) {
                    Some(1) | None => format!("{}:{}", starts[i], limits[i]),
                    Some(stride) => format!("{}:{}:{stride}", starts[i], limits[i]),
                };
                if limits.len() != starts.len() {
                    return Err(malformed(operation, "the bounds differ in length"));
                }
                let ranges: Vec<String> = (0..starts.len()).map(range).collect();
                plain(format!("{operands} [{}]", ranges.join(", ")), &["start_indices", "limit_indices", "strides"])
            }
            "reduce_precision" => {
                let (e, m) = (operation.int("exponent_bits")?, operation.int("mantissa_bits")?);
                plain(format!("{operands}, format = e{e}m{m}"), &["exponent_bits", "mantissa_bits"])
            }
            "dot_general" => self.dot_general(operation, operands).map(Some),
            "convolution" => self.convolution(operation, operands).map(Some),
            "fft" => {
                let kind = operation.string("fft_type")?;
                plain(
                    format!("{operands}, type = {kind}, length = {}", ints("fft_length")?),
                    &["fft_type", "fft_length"],
                )
            }
            "rng_bit_generator" => {
                let algorithm = operation.string("rng_algorithm")?;
                plain(format!("{operands}, algorithm = {algorithm}"), &["rng_algorithm"])
            }
            "cholesky" => plain(format!("{operands}, lower = {}", operation.flag("lower")?), &["lower"]),
            "func.call" => plain(format!("{}({operands})", symbol(operation.string("callee")?)), &["callee"]),
            "custom_call" => {
                let target = symbol(operation.string("call_target_name")?);
                plain(format!("{target}({operands})"), &["call_target_name"])
            }
            "composite" => {
                let name = operation.string("name")?;
                plain(format!("{} {operands}", quoted(name)), &["name"])
            }
            _ => Ok(None),
        }
    }

    fn dot_general(&self, operation: &Operation, operands: String) -> Result<Parameters> {
        let pair = |stem: &str| -> Result<(Vec<i64>, Vec<i64>)> {
            let side = |side: &str| operation.indices_or(&format!("{side}_{stem}"), Vec::new);
            let wide = |axes: Vec<usize>| axes.into_iter().map(|axis| axis as i64).collect();
            Ok((wide(side("lhs")?), wide(side("rhs")?)))
        };
        let mut body = operands;
        let (lhs, rhs) = pair("batching_dimensions")?;
        if !lhs.is_empty() || !rhs.is_empty() {
            write!(body, ", batching_dims = {} x {}", list(&lhs), list(&rhs)).expect(GROWS);
        }
        let (lhs, rhs) = pair("contracting_dimensions")?;
        write!(body, ", contracting_dims = {} x {}", list(&lhs), list(&rhs)).expect(GROWS);
        if let Some(Attribute::Array(items)) = operation.attributes.get("precision_config") {
            let level =
                |item: &Attribute| if let Attribute::String(name) = item { name.clone() } else { String::new() };
            let levels: Vec<String> = items.iter().map(level).filter(|name| !name.is_empty()).collect();
            if !levels.is_empty() {
                write!(body, ", precision = [{}]", levels.join(", ")).expect(GROWS);
            }
        }
        let shown = vec![
            "lhs_batching_dimensions",
            "rhs_batching_dimensions",
            "lhs_contracting_dimensions",
            "rhs_contracting_dimensions",
            "precision_config",
            "accumulation_type",
            "allow_imprecise_accumulation",
            "lhs_component_count",
            "lhs_precision_type",
            "num_primitive_operations",
            "rhs_component_count",
            "rhs_precision_type",
        ];
        Ok(Parameters { body, shown })
    }

    fn convolution(&self, operation: &Operation, operands: String) -> Result<Parameters> {
        let dimensions = convolution_dimensions(operation)?;
        let mut window = vec![];
        let spatial = operation.ints("input_spatial_dimensions")?.len();
        for (attribute, name) in
            [("window_strides", "stride"), ("lhs_dilation", "lhs_dilate"), ("rhs_dilation", "rhs_dilate")]
        {
            if operation.attributes.contains_key(attribute) {
                window.push(format!("{name} = {}", list(&operation.ints(attribute)?)));
            }
        }
        if operation.attributes.contains_key("padding") {
            let pairs = operation.pairs_or_zero("padding", spatial)?;
            let pairs: Vec<String> = pairs.iter().map(|(low, high)| format!("[{low}, {high}]")).collect();
            window.insert(window.len().min(1), format!("pad = [{}]", pairs.join(", ")));
        }
        if operation.attributes.contains_key("window_reversal") {
            let flags: Vec<&str> =
                operation.ints("window_reversal")?.iter().map(|&f| if f != 0 { "true" } else { "false" }).collect();
            window.push(format!("reverse = [{}]", flags.join(", ")));
        }
        let body = format!("({operands}) dim_numbers = {dimensions}, window = {{{}}}", window.join(", "));
        let shown = vec![
            "input_batch_dimension",
            "input_feature_dimension",
            "input_spatial_dimensions",
            "kernel_input_feature_dimension",
            "kernel_output_feature_dimension",
            "kernel_spatial_dimensions",
            "output_batch_dimension",
            "output_feature_dimension",
            "output_spatial_dimensions",
            "window_strides",
            "padding",
            "lhs_dilation",
            "rhs_dilation",
            "window_reversal",
        ];
        Ok(Parameters { body, shown })
    }

    /// `while(%iterArg = %x, …) : T, … cond {…} do {…}`.
    fn while_loop(&mut self, operation: &Operation) -> Result<()> {
        let [cond, body] = &operation.regions[..] else { return Err(malformed(operation, "expected two regions")) };
        let operands: Vec<String> =
            operation.operands.iter().map(|&v| self.name(v).map(str::to_string)).collect::<Result<_>>()?;
        let mut bindings = vec![];
        for (i, operand) in operands.iter().enumerate() {
            let (Some(&first), Some(&second)) = (cond.arguments.get(i), body.arguments.get(i)) else {
                return Err(malformed(operation, "the regions take other values than are carried"));
            };
            let name = format!("%iterArg{}", self.next_argument);
            self.next_argument += 1;
            self.names.insert(first, name.clone());
            self.names.insert(second, name.clone());
            bindings.push(format!("{name} = {operand}"));
        }
        let own = self.next;
        let head = match operation.results.len() {
            0 => String::new(),
            1 => format!("%{own} = "),
            several => format!("%{own}:{several} = "),
        };
        self.next += 1;
        let (bindings, types) = (bindings.join(", "), self.types(&operation.operands));
        let colon = if types.is_empty() { "" } else { " : " };
        self.line(&format!("{head}stablehlo.while({bindings}){colon}{types}"));
        self.line("cond {");
        self.operations(cond, "stablehlo.return")?;
        self.line("} do {");
        self.operations(body, "stablehlo.return")?;
        self.line("}");
        for (i, &result) in operation.results.iter().enumerate() {
            let name = if operation.results.len() == 1 { format!("%{own}") } else { format!("%{own}#{i}") };
            self.names.insert(result, name);
        }
        Ok(())
    }

    /// `"name"(%a) <{…}> ({…}, {…}) : (T) -> U`.
    fn generic(&mut self, operation: &Operation, head: &str, operands: &str) -> Result<()> {
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
    fn entry(&self, operation: &Operation, name: &str) -> Result<String> {
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

struct Parameters {
    /// Operands and parameters as the pretty form has them.
    body: String,
    /// The attributes among them.
    shown: Vec<&'static str>,
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

fn list(values: &[i64]) -> String {
    format!("[{}]", values.iter().map(i64::to_string).collect::<Vec<_>>().join(", "))
}

/// `[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]`.
fn convolution_dimensions(operation: &Operation) -> Result<String> {
    let part = |first: (&str, &str), second: (&str, &str), spatial: &str| -> Result<String> {
        let axes = operation.indices(spatial)?;
        let mut entries = vec![String::new(); axes.len() + 2];
        let mut place = |axis: usize, name: String| match entries.get_mut(axis) {
            Some(entry) => {
                *entry = name;
                Ok(())
            }
            None => Err(malformed(operation, "an axis is out of range")),
        };
        place(operation.index(first.0)?, first.1.to_string())?;
        place(operation.index(second.0)?, second.1.to_string())?;
        for (number, &axis) in axes.iter().enumerate() {
            place(axis, number.to_string())?;
        }
        Ok(format!("[{}]", entries.join(", ")))
    };
    Ok(format!(
        "{}x{}->{}",
        part(("input_batch_dimension", "b"), ("input_feature_dimension", "f"), "input_spatial_dimensions")?,
        part(
            ("kernel_input_feature_dimension", "i"),
            ("kernel_output_feature_dimension", "o"),
            "kernel_spatial_dimensions"
        )?,
        part(("output_batch_dimension", "b"), ("output_feature_dimension", "f"), "output_spatial_dimensions")?,
    ))
}

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

/// `@name`, quoted where the name is no plain word.
fn symbol(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '.'))
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if plain { format!("@{name}") } else { format!("@{}", quoted(name)) }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' => quoted.push_str("\\22"),
            b'\\' => quoted.push_str("\\\\"),
            b' '..=b'~' => quoted.push(byte as char),
            byte => write!(quoted, "\\{byte:02X}").expect(GROWS),
        }
    }
    quoted.push('"');
    quoted
}

/// A dictionary of discardable attributes; those that the reader did not keep are left out.
fn dictionary(attributes: &Attributes) -> Result<String> {
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
fn generic_value(value: &Attribute) -> Result<String> {
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

/// A finite number as MLIR's lexer takes it, with a point; others as their bits.
fn float(value: f64) -> String {
    if value.is_finite() { with_point(format!("{value:?}")) } else { format!("0x{:016X}", value.to_bits()) }
}

/// `1e-7` becomes `1.0e-7`.
fn with_point(text: String) -> String {
    match text.split_once('e') {
        Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0e{exponent}"),
        _ => text,
    }
}

/// `dense<…> : tensor<…>`.
fn dense(tensor: &Tensor) -> String {
    let shape: String = tensor.shape().iter().map(|extent| format!("{extent}x")).collect();
    let ty = format!("tensor<{shape}{}>", element_name(tensor.dtype()));
    let size = tensor.shape().size();
    if size == 0 {
        return format!("dense<> : {ty}");
    }
    let first = tensor.get(0);
    if (1..size).all(|i| tensor.get(i) == first) {
        return format!("dense<{}> : {ty}", element(first));
    }
    if size > LIST_LIMIT && tensor.dtype() != DType::Bool {
        let mut bytes = tensor.to_bytes();
        if cfg!(target_endian = "big") {
            bytes.chunks_mut(tensor.dtype().real().size()).for_each(<[u8]>::reverse);
        }
        let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        return format!("dense<\"0x{digits}\"> : {ty}");
    }
    let mut text = String::from("dense<");
    nested(tensor, 0, 0, &mut text);
    format!("{text}> : {ty}")
}

/// What lies under one index of the axes before `axis`, which begins at `position`.
fn nested(tensor: &Tensor, axis: usize, position: usize, text: &mut String) {
    if axis == tensor.shape().rank() {
        text.push_str(&element(tensor.get(position)));
        return;
    }
    let step: usize = tensor.shape()[axis + 1..].iter().product();
    text.push('[');
    for i in 0..tensor.shape()[axis] {
        if i > 0 {
            text.push_str(", ");
        }
        nested(tensor, axis + 1, position + i * step, text);
    }
    text.push(']');
}

fn element(value: Scalar) -> String {
    let dtype = value.dtype();
    let part = |bits: u64, dtype: DType| {
        let value = Scalar::from_bits(dtype, [bits, 0]);
        if !value.to_f64().is_finite() {
            let digits = dtype.bits() / 4;
            return format!("0x{bits:0digits$X}");
        }
        // The shortest digits that round to the value; narrow types have few.
        let text =
            if dtype == DType::F64 { format!("{:?}", value.to_f64()) } else { format!("{:?}", value.to_f64() as f32) };
        with_point(text)
    };
    let bits = value.bits();
    if dtype == DType::Bool {
        (bits[0] != 0).to_string()
    } else if dtype.is_complex() {
        format!("({}, {})", part(bits[0], dtype.real()), part(bits[1], dtype.real()))
    } else if dtype.is_float() {
        part(bits[0], dtype)
    } else if dtype.is_signed_integer() {
        let unused = 64 - dtype.bits() as u32;
        (((bits[0] << unused) as i64) >> unused).to_string()
    } else {
        bits[0].to_string()
    }
}
