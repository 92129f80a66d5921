//! The printer: the forms that the StableHLO tools print, pretty where an operation has a pretty form and generic elsewhere.

mod generic;
mod pretty;
mod value;

use std::collections::HashMap;
use std::fmt::Write as _;

use rjax_ir::{Error, ErrorKind, Result};

use self::generic::dictionary;
use self::pretty::Parameters;
use self::value::symbol;
use crate::mlir::{Attribute, Attributes, Function, Module, Operation, Region, Type, Value};

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
}
