//! Operations: the generic form, and the pretty forms of the operations that have one.

use std::collections::HashMap;

use rjax_ir::Result;

use super::scanner::Scanner;
use super::{attribute, types};
use crate::mlir::{Attribute, Attributes, Function, Module, Operation, Region, Type, Value};

const DEPTH_LIMIT: usize = 64;

pub(super) fn read(text: &str, file: &str) -> Result<Module> {
    let mut parser = Parser {
        s: Scanner::new(text, file),
        module: Module::default(),
        scopes: vec![HashMap::new()],
        depth: 0,
        location_aliases: HashMap::new(),
        argument_aliases: vec![],
    };
    parser.module()?;
    Ok(parser.module)
}

struct Parser<'a> {
    s: Scanner<'a>,
    module: Module,
    /// The values visible here, by name with result number (`0#1`).
    scopes: Vec<HashMap<String, Value>>,
    depth: usize,
    /// The names of locations that stand under an alias.
    location_aliases: HashMap<&'a str, String>,
    /// Arguments whose location is an alias, which may be defined after them.
    argument_aliases: Vec<(Value, &'a str)>,
}

/// What an operation says of itself before its types are known.
#[derive(Default)]
struct Parts {
    operands: Vec<Value>,
    attributes: Attributes,
    regions: Vec<Region>,
}

impl<'a> Parser<'a> {
    fn module(&mut self) -> Result<()> {
        self.aliases()?;
        let wrapped = self.s.eat_word("module") || self.s.eat_word("builtin.module");
        if wrapped {
            if self.s.peek("@") {
                self.s.symbol()?;
            }
            if self.s.eat_word("attributes") {
                self.module.attributes = attribute::dictionary(&mut self.s)?;
            }
            self.s.expect("{")?;
        }
        while self.s.eat_word("func.func") {
            self.function()?;
        }
        if wrapped {
            self.s.expect("}")?;
        }
        self.skip_location()?;
        self.aliases()?;
        self.s.skip_space();
        if !self.s.rest().is_empty() {
            return self.s.expected("a function or the end");
        }
        for (value, alias) in std::mem::take(&mut self.argument_aliases) {
            if let Some(name) = self.location_aliases.get(alias) {
                self.module.argument_names.insert(value, name.clone());
            }
        }
        Ok(())
    }

    /// `#loc1 = loc("xs[1]")` and other attribute aliases, of which only the names of locations are kept.
    fn aliases(&mut self) -> Result<()> {
        while self.s.peek("#") {
            let rest = self.s.rest();
            let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
            if let Some((alias, _)) = line.split_once(" = loc(\"") {
                self.s.position += alias.len() + " = loc(".len();
                let name = self.s.string()?;
                if !self.s.rest().starts_with(':') {
                    self.location_aliases.insert(alias, name);
                }
            }
            let rest = self.s.rest();
            self.s.position += rest.find('\n').unwrap_or(rest.len());
        }
        Ok(())
    }

    /// The location of an argument, which may carry a name: `loc("xs[1]")`, or `loc(#loc1)` where the name stands elsewhere.
    fn argument_location(&mut self, argument: Value) -> Result<()> {
        let start = self.s.position;
        if self.s.eat("loc(") {
            if self.s.peek("\"") {
                let name = self.s.string()?;
                if !self.s.rest().starts_with(':') {
                    self.module.argument_names.insert(argument, name);
                }
            } else if self.s.peek("#") {
                let rest = self.s.rest();
                let alias = &rest[..rest.find(')').unwrap_or(rest.len())];
                self.argument_aliases.push((argument, alias));
            }
            self.s.position = start;
        }
        self.skip_location()
    }

    fn function(&mut self) -> Result<()> {
        let mut public = true;
        if matches!(self.s.peek_word(), "public" | "private" | "nested") {
            public = self.s.word()? == "public";
        }
        let name = self.s.symbol()?;
        self.scopes.push(HashMap::new());
        let mut body = Region::default();
        let mut argument_attributes = vec![];
        self.s.expect("(")?;
        while !self.s.eat(")") {
            if !body.arguments.is_empty() {
                self.s.expect(",")?;
            }
            let argument = self.argument()?;
            body.arguments.push(argument);
            argument_attributes.push(if self.s.peek("{") {
                attribute::dictionary(&mut self.s)?
            } else {
                Attributes::new()
            });
            self.argument_location(argument)?;
        }
        let (results, result_attributes) =
            if self.s.eat("->") { types::results_with_attributes(&mut self.s)? } else { (vec![], vec![]) };
        if self.s.eat_word("attributes") {
            attribute::dictionary(&mut self.s)?;
        }
        self.s.expect("{")?;
        body.operations = self.operations()?;
        self.scopes.pop();
        self.skip_location()?;
        self.module.functions.push(Function { name, public, body, results, argument_attributes, result_attributes });
        Ok(())
    }

    /// `%name: type` as an argument of a function or block.
    fn argument(&mut self) -> Result<Value> {
        let name = self.s.value_name()?;
        self.s.expect(":")?;
        let ty = types::parse(&mut self.s)?;
        Ok(self.define(name.to_string(), ty))
    }

    fn define(&mut self, name: String, ty: Type) -> Value {
        let value = Value(self.module.value_types.len() as u32);
        self.module.value_types.push(ty);
        self.scopes.last_mut().expect("there is always a scope").insert(name, value);
        value
    }

    /// `%name` or `%name#1`.
    fn operand(&mut self) -> Result<Value> {
        let start = self.s.position;
        let name = self.s.value_name()?;
        let key = if self.s.rest().starts_with('#') {
            self.s.position += 1;
            format!("{name}#{}", self.s.integer()?)
        } else {
            name.to_string()
        };
        // The first of several results may be named without its number.
        let lookup = |key: &str| self.scopes.iter().rev().find_map(|scope| scope.get(key).copied());
        if let Some(value) = lookup(&key) {
            return Ok(value);
        }
        self.s.position = start;
        self.s.skip_space();
        Err(self.s.error(format!("%{key} is not defined")))
    }

    /// `%a, %b, …` until something else stands there.
    fn operands(&mut self) -> Result<Vec<Value>> {
        let mut operands = vec![];
        if !self.s.peek("%") {
            return Ok(operands);
        }
        loop {
            operands.push(self.operand()?);
            let before = self.s.position;
            if !self.s.eat(",") || !self.s.peek("%") {
                self.s.position = before;
                return Ok(operands);
            }
        }
    }

    /// Operations up to the closing brace.
    fn operations(&mut self) -> Result<Vec<Operation>> {
        if self.depth > DEPTH_LIMIT {
            return Err(self.s.error("regions nest too deeply"));
        }
        self.depth += 1;
        let mut operations = vec![];
        while !self.s.eat("}") {
            operations.push(self.operation()?);
        }
        self.depth -= 1;
        Ok(operations)
    }

    /// `{ ^bb0(%a: T, …): operations }`.
    fn region(&mut self) -> Result<Region> {
        self.s.expect("{")?;
        self.scopes.push(HashMap::new());
        let mut region = Region::default();
        if self.s.eat("^") {
            self.s.word()?;
            if self.s.peek("(") {
                region.arguments = self.block_arguments()?;
            }
            self.s.expect(":")?;
        }
        region.operations = self.operations()?;
        self.scopes.pop();
        Ok(region)
    }

    fn block_arguments(&mut self) -> Result<Vec<Value>> {
        self.s.expect("(")?;
        let mut arguments = vec![];
        while !self.s.eat(")") {
            if !arguments.is_empty() {
                self.s.expect(",")?;
            }
            arguments.push(self.argument()?);
            self.skip_location()?;
        }
        Ok(arguments)
    }

    fn skip_location(&mut self) -> Result<()> {
        if !self.s.peek("loc(") {
            return Ok(());
        }
        self.s.expect("loc(")?;
        let mut depth = 1;
        while depth > 0 {
            let rest = self.s.rest();
            let Some(at) = rest.find(['(', ')', '"']) else { return Err(self.s.error("a location is not closed")) };
            self.s.position += at;
            if self.s.rest().starts_with('"') {
                self.s.string()?;
                continue;
            }
            depth = if self.s.rest().starts_with('(') { depth + 1 } else { depth - 1 };
            self.s.position += 1;
        }
        Ok(())
    }

    fn operation(&mut self) -> Result<Operation> {
        let mut names: Vec<(String, usize)> = vec![];
        while self.s.peek("%") {
            let name = self.s.value_name()?.to_string();
            let count = if self.s.rest().starts_with(':') {
                self.s.position += 1;
                usize::try_from(self.s.integer()?).map_err(|_| self.s.error("a negative number of results"))?
            } else {
                1
            };
            names.push((name, count));
            if !self.s.eat(",") {
                self.s.expect("=")?;
                break;
            }
        }
        self.s.skip_space();
        let location = self.s.location();
        let generic = self.s.peek("\"");
        let name = if generic { self.s.string()? } else { self.s.word()?.to_string() };
        let name = match name.as_str() {
            "call" => "func.call".to_string(),
            "return" | "func.return" => "stablehlo.return".to_string(),
            _ => name,
        };
        let (parts, types) = if generic { self.generic()? } else { self.pretty(&name)? };
        self.skip_location()?;
        let expected: usize = names.iter().map(|(_, count)| count).sum();
        if expected != 0 && expected != types.len() {
            return Err(self.s.error(format!("{name} has {} results, {expected} are named", types.len())));
        }
        let mut results = vec![];
        let mut types = types.into_iter();
        if names.is_empty() {
            results.extend(types.by_ref().map(|ty| {
                self.module.value_types.push(ty);
                Value(self.module.value_types.len() as u32 - 1)
            }));
        }
        for (name, count) in names {
            for index in 0..count {
                let ty = types.next().expect("counted above");
                let key = if count == 1 { name.clone() } else { format!("{name}#{index}") };
                let value = self.define(key, ty);
                if index == 0 {
                    self.scopes.last_mut().expect("there is always a scope").insert(name.clone(), value);
                }
                results.push(value);
            }
        }
        let Parts { operands, mut attributes, regions } = parts;
        // The operations of the check dialect are written as custom calls where the dialect is not known.
        let name = if is_check(&name) {
            attributes.insert("call_target_name".into(), Attribute::String(name));
            attributes.insert("has_side_effect".into(), Attribute::Bool(true));
            "stablehlo.custom_call".to_string()
        } else {
            name
        };
        Ok(Operation { name, attributes, operands, results, regions, location })
    }

    /// `"name"(%a) <{…}> ({…}, {…}) {…} : (T) -> U`.
    fn generic(&mut self) -> Result<(Parts, Vec<Type>)> {
        self.s.expect("(")?;
        let mut parts = Parts { operands: self.operands()?, ..Parts::default() };
        self.s.expect(")")?;
        if self.s.peek("<{") {
            parts.attributes = attribute::properties(&mut self.s)?;
        }
        if self.s.eat("(") {
            while !self.s.eat(")") {
                if !parts.regions.is_empty() {
                    self.s.expect(",")?;
                }
                parts.regions.push(self.region()?);
            }
        }
        if self.s.peek("{") {
            parts.attributes.extend(attribute::dictionary(&mut self.s)?);
        }
        self.s.expect(":")?;
        types::list(&mut self.s)?;
        self.s.expect("->")?;
        let results = types::results(&mut self.s)?;
        Ok((parts, results))
    }

    /// The pretty form: operands and named parameters as each operation prints them, then attributes, then types.
    fn pretty(&mut self, name: &str) -> Result<(Parts, Vec<Type>)> {
        let mut parts = Parts::default();
        match name {
            "stablehlo.constant" => {
                if self.s.peek("{") {
                    parts.attributes = attribute::dictionary(&mut self.s)?;
                }
                let value = attribute::dense(&mut self.s)?;
                let ty = match &value {
                    Attribute::Dense(tensor) => {
                        let aval = tensor.aval();
                        Type::Tensor {
                            shape: aval.shape.iter().map(|&e| Some(e)).collect(),
                            element: crate::mlir::ElementType::DType(aval.dtype),
                        }
                    }
                    Attribute::DenseOther(ty) => ty.clone(),
                    _ => return Err(self.s.error("a constant needs a dense value")),
                };
                parts.attributes.insert("value".into(), value);
                return Ok((parts, vec![ty]));
            }
            "stablehlo.return" => {
                parts.operands = self.operands()?;
                if self.s.eat(":") {
                    types::parse(&mut self.s)?;
                    while self.s.eat(",") {
                        types::parse(&mut self.s)?;
                    }
                }
                return Ok((parts, vec![]));
            }
            "stablehlo.while" => return self.while_loop(),
            "stablehlo.reduce" => return self.reduce(),
            "stablehlo.compare" => {
                let direction = self.s.word()?.to_string();
                self.s.expect(",")?;
                parts.operands = self.operands()?;
                parts.attributes.insert("comparison_direction".into(), Attribute::String(direction));
                if self.s.eat(",") {
                    let kind = self.s.word()?.to_string();
                    parts.attributes.insert("compare_type".into(), Attribute::String(kind));
                }
            }
            "func.call" => {
                parts.attributes.insert("callee".into(), Attribute::String(self.s.symbol()?));
                self.s.expect("(")?;
                parts.operands = self.operands()?;
                self.s.expect(")")?;
            }
            "stablehlo.custom_call" => {
                parts.attributes.insert("call_target_name".into(), Attribute::String(self.s.symbol()?));
                self.s.expect("(")?;
                parts.operands = self.operands()?;
                self.s.expect(")")?;
            }
            "stablehlo.composite" => {
                let composite = self.s.string()?;
                parts.operands = self.operands()?;
                parts.attributes.insert("name".into(), Attribute::String(composite));
            }
            "stablehlo.convolution" => {
                self.s.expect("(")?;
                parts.operands = self.operands()?;
                self.s.expect(")")?;
                self.s.expect_word("dim_numbers")?;
                self.s.expect("=")?;
                parts.attributes = attribute::convolution_dimensions(&mut self.s)?;
                self.s.expect(",")?;
                self.s.expect_word("window")?;
                self.s.expect("=")?;
                self.window(&mut parts.attributes)?;
            }
            "stablehlo.slice" => {
                parts.operands = vec![self.operand()?];
                self.slice_ranges(&mut parts.attributes)?;
            }
            "stablehlo.dot_general" => {
                parts.operands = self.operands()?;
                self.dot_parameters(&mut parts.attributes)?;
            }
            "stablehlo.cholesky" => {
                parts.operands = vec![self.operand()?];
                if self.s.eat(",") {
                    self.s.expect_word("lower")?;
                    self.s.expect("=")?;
                    let lower = match self.s.word()? {
                        "true" => true,
                        "false" => false,
                        _ => return self.s.expected("true or false"),
                    };
                    parts.attributes.insert("lower".into(), Attribute::Bool(lower));
                }
            }
            "stablehlo.reduce_precision" => {
                parts.operands = self.operands()?;
                self.s.expect(",")?;
                self.s.expect_word("format")?;
                self.s.expect("=")?;
                let format = self.s.word()?;
                let bits = format.strip_prefix('e').and_then(|f| f.split_once('m'));
                let bits = bits.and_then(|(e, m)| Some((e.parse().ok()?, m.parse().ok()?)));
                let Some((exponent, mantissa)) = bits else { return self.s.expected("a format such as e5m10") };
                parts.attributes.insert("exponent_bits".into(), Attribute::Int(exponent));
                parts.attributes.insert("mantissa_bits".into(), Attribute::Int(mantissa));
            }
            "stablehlo.get_tuple_element" => {
                parts.operands = vec![self.operand()?];
                let index = self.s.integers()?;
                parts.attributes.insert("index".into(), Attribute::Int(index.first().copied().unwrap_or(0)));
            }
            "chlo.top_k" => {
                self.s.expect("(")?;
                parts.operands = self.operands()?;
                self.s.expect(",")?;
                self.s.expect_word("k")?;
                self.s.expect("=")?;
                parts.attributes.insert("k".into(), Attribute::Int(self.s.integer()?));
                self.s.expect(")")?;
            }
            name if is_check(name) => return self.check(name),
            _ => {
                if self.s.eat("(") {
                    parts.operands = self.operands()?;
                    self.s.expect(")")?;
                } else {
                    parts.operands = self.operands()?;
                }
                // `name = value` parameters, after a comma if there are operands.
                loop {
                    let before = self.s.position;
                    self.s.eat(",");
                    let parameter = self.s.peek_word();
                    if parameter.is_empty() {
                        self.s.position = before;
                        break;
                    }
                    self.s.word()?;
                    self.s.expect("=")?;
                    // A number and an enumerant stand by themselves here: the colon after them begins the types.
                    self.s.skip_space();
                    let value = if self.s.rest().starts_with(|c: char| c.is_ascii_digit() || c == '-') {
                        Attribute::Int(self.s.integer()?)
                    } else if self.s.rest().starts_with(|c: char| c.is_ascii_uppercase()) {
                        Attribute::String(self.s.word()?.to_string())
                    } else {
                        attribute::parse(&mut self.s)?
                    };
                    parts.attributes.insert(flat_name(name, parameter).to_string(), value);
                }
            }
        }
        if self.s.peek("{") {
            let written = attribute::dictionary(&mut self.s)?;
            parts.attributes.extend(written);
        }
        let types = self.result_types(name, &parts)?;
        Ok((parts, types))
    }

    /// `check.expect_eq %a, %b : T`, `check.expect_eq_const %a, dense<…> : T`, with `, tolerance = 0.1` or attributes.
    fn check(&mut self, name: &str) -> Result<(Parts, Vec<Type>)> {
        let mut parts = Parts { operands: self.operands()?, ..Parts::default() };
        while self.s.eat(",") {
            if self.s.peek_word() == "dense" {
                parts.attributes.insert("value".into(), attribute::dense(&mut self.s)?);
                continue;
            }
            let parameter = self.s.word()?.to_string();
            self.s.expect("=")?;
            // The colon after the number begins the types.
            let text = self.s.number()?;
            let value = text.parse().map_err(|_| self.s.error(format!("{name}: `{text}` is not a number")))?;
            parts.attributes.insert(parameter, Attribute::Float(value));
        }
        if self.s.peek("{") {
            parts.attributes.extend(attribute::dictionary(&mut self.s)?);
        }
        self.result_types(name, &parts)?;
        if self.s.peek("{") {
            parts.attributes.extend(attribute::dictionary(&mut self.s)?);
        }
        Ok((parts, vec![]))
    }

    /// `: (T, …) -> U`, `: T -> U`, or the short form `: T, …` in which operands and result agree.
    fn result_types(&mut self, name: &str, parts: &Parts) -> Result<Vec<Type>> {
        if !self.s.eat(":") {
            return Ok(vec![]);
        }
        if self.s.peek("(") {
            let inputs = types::list(&mut self.s)?;
            if self.s.eat("->") {
                return types::results(&mut self.s);
            }
            return Ok(inputs);
        }
        let first = types::parse(&mut self.s)?;
        if self.s.eat("->") {
            return types::results(&mut self.s);
        }
        let mut listed = vec![first];
        while self.s.eat(",") {
            listed.push(types::parse(&mut self.s)?);
        }
        Ok(match name {
            "stablehlo.optimization_barrier" => listed,
            // The type of the predicate, then of the cases; of the minimum, the operand, the maximum.
            "stablehlo.select" => vec![listed.pop().expect("one was parsed")],
            "stablehlo.clamp" if listed.len() == 3 => vec![listed.swap_remove(1)],
            "stablehlo.is_finite" | "stablehlo.compare" => vec![listed.pop().expect("one was parsed")],
            _ if parts.operands.is_empty() || listed.len() == 1 => vec![listed.swap_remove(0)],
            _ => vec![listed.pop().expect("one was parsed")],
        })
    }

    /// `[0:3:1, 2:4]`.
    fn slice_ranges(&mut self, attributes: &mut Attributes) -> Result<()> {
        let (mut starts, mut limits, mut strides) = (vec![], vec![], vec![]);
        self.s.expect("[")?;
        while !self.s.eat("]") {
            if !starts.is_empty() {
                self.s.expect(",")?;
            }
            starts.push(Attribute::Int(self.s.integer()?));
            self.s.expect(":")?;
            limits.push(Attribute::Int(self.s.integer()?));
            strides.push(Attribute::Int(if self.s.eat(":") { self.s.integer()? } else { 1 }));
        }
        attributes.insert("start_indices".into(), Attribute::Array(starts));
        attributes.insert("limit_indices".into(), Attribute::Array(limits));
        attributes.insert("strides".into(), Attribute::Array(strides));
        Ok(())
    }

    /// `, batching_dims = [0] x [0], contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT]`.
    fn dot_parameters(&mut self, attributes: &mut Attributes) -> Result<()> {
        while self.s.eat(",") {
            let parameter = self.s.word()?;
            self.s.expect("=")?;
            match parameter {
                "batching_dims" | "contracting_dims" => {
                    let stem =
                        if parameter == "batching_dims" { "batching_dimensions" } else { "contracting_dimensions" };
                    for (position, side) in ["lhs", "rhs"].into_iter().enumerate() {
                        if position > 0 {
                            self.s.expect("x")?;
                        }
                        let axes = self.s.integers()?.into_iter().map(Attribute::Int).collect();
                        attributes.insert(format!("{side}_{stem}"), Attribute::Array(axes));
                    }
                }
                "precision" => {
                    let value = attribute::parse(&mut self.s)?;
                    attributes.insert("precision_config".into(), value);
                }
                "algorithm" => {
                    types::skip_angles(&mut self.s)?;
                }
                other => return Err(self.s.error(format!("dot_general has no parameter `{other}`"))),
            }
        }
        attributes.entry("lhs_contracting_dimensions".into()).or_insert(Attribute::Array(vec![]));
        attributes.entry("rhs_contracting_dimensions".into()).or_insert(Attribute::Array(vec![]));
        Ok(())
    }

    /// `{stride = [1, 1], pad = [[0, 0], [1, 1]], lhs_dilate = …, rhs_dilate = …, reverse = …}`.
    fn window(&mut self, attributes: &mut Attributes) -> Result<()> {
        for (name, value) in attribute::dictionary(&mut self.s)? {
            let (flat, value) = match (name.as_str(), value) {
                ("stride", value) => ("window_strides", value),
                ("lhs_dilate", value) => ("lhs_dilation", value),
                ("rhs_dilate", value) => ("rhs_dilation", value),
                ("reverse", value) => ("window_reversal", value),
                ("pad", Attribute::Array(pairs)) => {
                    let flat = pairs.into_iter().flat_map(|pair| match pair {
                        Attribute::Array(pair) => pair,
                        other => vec![other],
                    });
                    ("padding", Attribute::Array(flat.collect()))
                }
                (other, _) => return Err(self.s.error(format!("a window has no parameter `{other}`"))),
            };
            attributes.insert(flat.to_string(), value);
        }
        Ok(())
    }

    /// `while(%i = %x, …) : T, … cond {…} do {…}`.
    fn while_loop(&mut self) -> Result<(Parts, Vec<Type>)> {
        self.s.expect("(")?;
        let (mut names, mut operands) = (vec![], vec![]);
        while !self.s.eat(")") {
            if !names.is_empty() {
                self.s.expect(",")?;
            }
            names.push(self.s.value_name()?.to_string());
            self.s.expect("=")?;
            operands.push(self.operand()?);
        }
        let mut carried = vec![];
        if self.s.eat(":") {
            loop {
                carried.push(types::parse(&mut self.s)?);
                if !self.s.eat(",") {
                    break;
                }
            }
        }
        if carried.len() != names.len() {
            return Err(self.s.error(format!(
                "while carries {} values and gives {} types",
                names.len(),
                carried.len()
            )));
        }
        let mut attributes = Attributes::new();
        if self.s.eat_word("attributes") {
            attributes = attribute::dictionary(&mut self.s)?;
        }
        let mut regions = vec![];
        for keyword in ["cond", "do"] {
            self.s.expect_word(keyword)?;
            self.s.expect("{")?;
            self.scopes.push(HashMap::new());
            let arguments =
                names.iter().zip(&carried).map(|(name, ty)| self.define(name.clone(), ty.clone())).collect();
            let operations = self.operations()?;
            self.scopes.pop();
            regions.push(Region { arguments, operations });
        }
        Ok((Parts { operands, attributes, regions }, carried))
    }

    /// `reduce(%x init: %c), … applies stablehlo.add across dimensions = [0] : …` or with `reducer(%a: T, %b: T) … {…}`.
    fn reduce(&mut self) -> Result<(Parts, Vec<Type>)> {
        let (mut inputs, mut inits) = (vec![], vec![]);
        loop {
            self.s.expect("(")?;
            inputs.push(self.operand()?);
            self.s.expect_word("init")?;
            self.s.expect(":")?;
            inits.push(self.operand()?);
            self.s.expect(")")?;
            if !self.s.eat(",") {
                break;
            }
        }
        let applied = if self.s.eat_word("applies") { Some(self.s.word()?.to_string()) } else { None };
        self.s.expect_word("across")?;
        self.s.expect_word("dimensions")?;
        self.s.expect("=")?;
        let dimensions = self.s.integers()?.into_iter().map(Attribute::Int).collect();
        let mut attributes = Attributes::from([("dimensions".to_string(), Attribute::Array(dimensions))]);
        if self.s.peek("{") {
            attributes.extend(attribute::dictionary(&mut self.s)?);
        }
        self.s.expect(":")?;
        let input_types = types::list(&mut self.s)?;
        self.s.expect("->")?;
        let results = types::results(&mut self.s)?;
        let region = match applied {
            Some(name) => self.applied(&name, &input_types)?,
            None => self.reducer(inputs.len())?,
        };
        let operands = inputs.into_iter().chain(inits).collect();
        Ok((Parts { operands, attributes, regions: vec![region] }, results))
    }

    /// The region of a reduction that applies one operation to two scalars.
    fn applied(&mut self, name: &str, input_types: &[Type]) -> Result<Region> {
        let Some(Type::Tensor { element, .. }) = input_types.first() else { return self.s.expected("a tensor type") };
        let scalar = Type::Tensor { shape: vec![], element: element.clone() };
        let mut fresh = || {
            self.module.value_types.push(scalar.clone());
            Value(self.module.value_types.len() as u32 - 1)
        };
        let (a, b, result) = (fresh(), fresh(), fresh());
        let location = self.s.location();
        let operation = |name: &str, operands: Vec<Value>, results: Vec<Value>| Operation {
            name: name.to_string(),
            attributes: Attributes::new(),
            operands,
            results,
            regions: vec![],
            location: location.clone(),
        };
        Ok(Region {
            arguments: vec![a, b],
            operations: vec![
                operation(name, vec![a, b], vec![result]),
                operation("stablehlo.return", vec![result], vec![]),
            ],
        })
    }

    /// `reducer(%a: T, %b: T) (%c: U, %d: U) {…}`: one pair for each operand; the region takes all firsts, then all seconds.
    fn reducer(&mut self, operands: usize) -> Result<Region> {
        self.s.expect_word("reducer")?;
        self.scopes.push(HashMap::new());
        let (mut firsts, mut seconds) = (vec![], vec![]);
        for _ in 0..operands {
            let pair = self.block_arguments()?;
            let [first, second] = pair[..] else { return Err(self.s.error("a reducer takes pairs of arguments")) };
            firsts.push(first);
            seconds.push(second);
        }
        self.s.expect("{")?;
        let operations = self.operations()?;
        self.scopes.pop();
        firsts.extend(seconds);
        Ok(Region { arguments: firsts, operations })
    }
}

fn is_check(name: &str) -> bool {
    name.starts_with("check.expect_")
}

/// The attribute that a parameter of the pretty form stands for.
fn flat_name<'n>(operation: &str, parameter: &'n str) -> &'n str {
    match (operation, parameter) {
        ("stablehlo.broadcast_in_dim", "dims") => "broadcast_dimensions",
        ("stablehlo.broadcast", "sizes") => "broadcast_sizes",
        ("stablehlo.transpose", "dims") => "permutation",
        ("stablehlo.reverse", "dims") => "dimensions",
        ("stablehlo.concatenate", "dim") => "dimension",
        ("stablehlo.iota", "dim") => "iota_dimension",
        ("stablehlo.get_dimension_size", "dim") => "dimension",
        ("stablehlo.dynamic_slice", "sizes") => "slice_sizes",
        ("stablehlo.pad", "low") => "edge_padding_low",
        ("stablehlo.pad", "high") => "edge_padding_high",
        ("stablehlo.pad", "interior") => "interior_padding",
        ("stablehlo.fft", "type") => "fft_type",
        ("stablehlo.fft", "length") => "fft_length",
        ("stablehlo.rng", "distribution") => "rng_distribution",
        ("stablehlo.rng_bit_generator", "algorithm") => "rng_algorithm",
        ("stablehlo.dot", "precision") => "precision_config",
        _ => parameter,
    }
}
