//! Import of StableHLO modules to programs.
//!
//! Every function becomes a program and every call a `jit` equation. Regions see the values around them, which programs inside ops
//! do not; what a region uses from outside becomes an extra leading input of its program. Tensor constants inside functions
//! travel the same way to the top level.

mod control;
mod elementwise;
mod expansion;
mod linalg;
mod random;
mod random_gamma;
mod reducer;
mod scanned;
mod sort;
mod structured;
mod top_k;

use std::collections::HashMap;
use std::sync::Arc;

use rjax_ir::{Atom, Aval, Builder, Error, ErrorKind, Op, Program, Result, Scalar, Tensor, bail, ensure};

use crate::mlir::{Function, Module, Operation, Region, Value};

/// How two tensors of a check are compared.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum CheckKind {
    /// `check.expect_eq`: bit for bit, NaN equal to NaN.
    Eq,
    /// `check.expect_close`: within a number of units in the last place.
    Close {
        /// Largest distance accepted.
        max_ulps: u64,
    },
    /// `check.expect_almost_eq`: absolute or relative.
    AlmostEq {
        /// Largest distance accepted, 1e-3 where nothing else is said.
        tolerance: f64,
    },
}

/// An imported module.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The entry function. Its outputs are the function's results, then for each check the value found and the value expected.
    pub program: Program,
    /// The checks in the entry function, in order.
    pub checks: Vec<CheckKind>,
}

/// Imports the function `main` (or the only function) of a module.
pub fn import(module: &Module) -> Result<Imported> {
    let Some(entry) = module.entry() else {
        bail!(Malformed, "stablehlo: there is no function main; found {}", names(module))
    };
    import_function(module, &entry.name)
}

/// Imports a function by name.
pub fn import_function(module: &Module, name: &str) -> Result<Imported> {
    let Some(function) = module.function(name) else {
        bail!(Malformed, "stablehlo: there is no function {name}; found {}", names(module))
    };
    let mut importer =
        Importer { module, frames: vec![Frame::default()], functions: HashMap::new(), active: vec![], checks: vec![] };
    let outputs = importer.body(&function.body)?;
    let mut frame = importer.frames.pop().expect("the root frame is never popped by others");
    let checked = std::mem::take(&mut frame.checked);
    let program = frame.builder.finish(outputs.into_iter().chain(checked).collect());
    Ok(Imported { program: expansion::contract(program.dce()).dce(), checks: importer.checks })
}

fn names(module: &Module) -> String {
    module.functions.iter().map(|f| f.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// What a frame takes from the frame around it.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Capture {
    Value(Value),
    /// A constant, by its bytes, shape and dtype.
    Constant(Aval, Vec<u8>),
}

/// A program under construction: the entry function, another function, or a region.
#[derive(Default)]
struct Frame {
    builder: Builder,
    values: HashMap<Value, Atom>,
    captures: Vec<Capture>,
    captured: HashMap<Capture, Atom>,
    /// Pairs of found and expected values, in the entry function.
    checked: Vec<Atom>,
}

/// A region or function as a program, with what it takes from outside as its first inputs.
struct Body {
    program: Program,
    captures: Vec<Capture>,
}

struct Importer<'a> {
    module: &'a Module,
    frames: Vec<Frame>,
    functions: HashMap<String, Arc<FunctionBody>>,
    /// Names of the functions being imported, to refuse recursion.
    active: Vec<String>,
    checks: Vec<CheckKind>,
}

struct FunctionBody {
    program: Arc<Program>,
    constants: Vec<Capture>,
}

impl<'a> Importer<'a> {
    fn builder(&mut self) -> &mut Builder {
        &mut self.frames.last_mut().expect("there is always a frame").builder
    }

    fn aval(&self, atom: Atom) -> Aval {
        self.frames.last().expect("there is always a frame").builder.aval(atom)
    }

    fn value_aval(&self, value: Value) -> Result<Aval> {
        self.module.value_type(value).aval()
    }

    fn result_aval(&self, operation: &Operation) -> Result<Aval> {
        match operation.results[..] {
            [result] => self.value_aval(result),
            _ => Err(malformed(operation, format!("expected one result, found {}", operation.results.len()))),
        }
    }

    fn set(&mut self, value: Value, atom: Atom) {
        self.frames.last_mut().expect("there is always a frame").values.insert(value, atom);
    }

    /// The atom of a value in the current frame, captured from outside where need be.
    fn value(&mut self, value: Value) -> Result<Atom> {
        self.value_in(self.frames.len() - 1, value)
    }

    fn value_in(&mut self, frame: usize, value: Value) -> Result<Atom> {
        if let Some(&atom) = self.frames[frame].values.get(&value) {
            return Ok(atom);
        }
        match self.frames[..frame].iter().rev().find_map(|f| f.values.get(&value).copied()) {
            None => bail!(Malformed, "stablehlo: value {} is used before it is defined", value.0),
            // Literals need no way in, and loops with literal bounds can be recognised.
            Some(literal @ Atom::Lit(_)) => return Ok(literal),
            Some(Atom::Var(_)) => {}
        }
        let aval = self.value_aval(value)?;
        Ok(self.capture_in(frame, Capture::Value(value), aval))
    }

    fn capture_in(&mut self, frame: usize, capture: Capture, aval: Aval) -> Atom {
        let frame = &mut self.frames[frame];
        if let Some(&atom) = frame.captured.get(&capture) {
            return atom;
        }
        let atom = frame.builder.input(aval);
        frame.captures.push(capture.clone());
        frame.captured.insert(capture, atom);
        atom
    }

    /// The atoms, in the current frame, of what a body takes from it.
    fn resolve(&mut self, captures: &[Capture]) -> Result<Vec<Atom>> {
        captures
            .iter()
            .map(|capture| match capture {
                Capture::Value(value) => self.value(*value),
                Capture::Constant(aval, bytes) => Ok(self.constant(Tensor::from_bytes(aval, bytes))),
            })
            .collect()
    }

    /// A constant: a literal or a repeated literal where all elements agree, else an array held at top level.
    fn constant(&mut self, tensor: Tensor) -> Atom {
        let size = tensor.shape().size();
        if size > 0 {
            let first = tensor.get(0);
            if (1..size).all(|i| tensor.get(i) == first) {
                return self.builder().full(tensor.shape(), first);
            }
        } else {
            return self.builder().full(tensor.shape(), Scalar::zero(tensor.dtype()));
        }
        let frame = self.frames.len() - 1;
        let key = Capture::Constant(tensor.aval(), tensor.to_bytes());
        if frame > 0 {
            return self.capture_in(frame, key, tensor.aval());
        }
        let root = &mut self.frames[0];
        if let Some(&atom) = root.captured.get(&key) {
            return atom;
        }
        let atom = root.builder.constant(tensor);
        root.captured.insert(key, atom);
        atom
    }

    /// Imports a region in the current frame and returns what its terminator returns.
    fn body(&mut self, region: &Region) -> Result<Vec<Atom>> {
        for &argument in &region.arguments {
            let aval = self.value_aval(argument)?;
            let atom = self.builder().input(aval);
            self.set(argument, atom);
        }
        self.operations(region)
    }

    /// Imports the operations of a region whose arguments are bound already.
    fn operations(&mut self, region: &Region) -> Result<Vec<Atom>> {
        for operation in &region.operations {
            if operation.name == "stablehlo.return" {
                return self.values(&operation.operands);
            }
            self.builder().location = operation.location.clone();
            self.operation(operation).map_err(|e| e.at(&operation.location))?;
        }
        bail!(Malformed, "stablehlo: a region does not end in return")
    }

    fn is_token(&self, value: Value) -> bool {
        *self.module.value_type(value) == crate::mlir::Type::Token
    }

    /// Imports a region as a program: first what it takes from outside, then its arguments.
    fn region(&mut self, region: &Region) -> Result<Body> {
        self.frames.push(Frame::default());
        let outputs = self.body(region);
        let frame = self.frames.pop().expect("pushed above");
        let mut program = frame.builder.finish(outputs?);
        // Captures are found after the arguments have become inputs, and they belong before them.
        let arguments = program.invars.len() - frame.captures.len();
        program.invars.rotate_left(arguments);
        Ok(Body { program, captures: frame.captures })
    }

    /// A region that may use nothing but literals from outside: a reducer or a comparator.
    fn closed_region(&mut self, operation: &Operation, index: usize) -> Result<Program> {
        let region = operation
            .regions
            .get(index)
            .ok_or_else(|| malformed(operation, format!("expected at least {} regions", index + 1)))?;
        let body = self.region(region)?;
        let captured = self.resolve(&body.captures)?;
        if captured.iter().any(|atom| atom.var().is_some()) {
            return Err(unsupported(operation, "a region that uses values from outside"));
        }
        let mut b = Builder::new();
        let arguments: Vec<Atom> =
            body.program.in_avals().into_iter().skip(captured.len()).map(|aval| b.input(aval)).collect();
        let inputs: Vec<Atom> = captured.into_iter().chain(arguments).collect();
        let outputs = b.inline(&body.program, &inputs);
        Ok(b.finish(outputs).dce())
    }

    fn function(&mut self, function: &'a Function) -> Result<Arc<FunctionBody>> {
        if let Some(done) = self.functions.get(&function.name) {
            return Ok(done.clone());
        }
        ensure!(
            !self.active.contains(&function.name),
            Unsupported,
            "stablehlo: function {} calls itself",
            function.name
        );
        self.active.push(function.name.clone());
        let body = self.region(&function.body);
        self.active.pop();
        let body = body?;
        let program = expansion::contract(body.program.dce()).dce();
        let program = random_gamma::with_derivative(&function.name, program);
        let done = Arc::new(FunctionBody { program: Arc::new(program), constants: body.captures });
        self.functions.insert(function.name.clone(), done.clone());
        Ok(done)
    }

    /// Calls a function of the module by name.
    fn call(&mut self, operation: &Operation, callee: &str, operands: &[Value]) -> Result<Vec<Atom>> {
        let function = self
            .module
            .function(callee)
            .ok_or_else(|| malformed(operation, format!("there is no function {callee}")))?;
        let body = self.function(function)?;
        let mut inputs = self.resolve(&body.constants)?;
        inputs.extend(self.values(operands)?);
        self.builder().try_emit(Op::Call { name: callee.into(), program: body.program.clone() }, &inputs)
    }

    /// The atom of the only operand.
    fn operand(&mut self, operation: &Operation) -> Result<Atom> {
        match self.values(&operation.operands)?[..] {
            [x] => Ok(x),
            ref found => Err(malformed(operation, format!("expected one operand, found {}", found.len()))),
        }
    }

    /// The atoms of values, tokens left out.
    fn values(&mut self, values: &[Value]) -> Result<Vec<Atom>> {
        let values: Vec<Value> = values.iter().copied().filter(|&v| !self.is_token(v)).collect();
        values.into_iter().map(|v| self.value(v)).collect()
    }

    fn operation(&mut self, operation: &Operation) -> Result<()> {
        let outputs = self.lower(operation)?;
        let results: Vec<Value> = operation.results.iter().copied().filter(|&v| !self.is_token(v)).collect();
        if outputs.len() != results.len() {
            return Err(malformed(operation, format!("has {} results, {} are declared", outputs.len(), results.len())));
        }
        for (&result, atom) in results.iter().zip(outputs) {
            let (found, declared) = (self.aval(atom), self.value_aval(result)?);
            if found != declared {
                return Err(malformed(operation, format!("gives {found}, but {declared} is declared")));
            }
            self.set(result, atom);
        }
        Ok(())
    }

    fn lower(&mut self, operation: &Operation) -> Result<Vec<Atom>> {
        let name = operation.name.as_str();
        if let Some(outputs) = self.elementwise(operation)? {
            return Ok(outputs);
        }
        if let Some(output) = self.structured(operation)? {
            return Ok(vec![output]);
        }
        match name {
            "stablehlo.reduce" => self.reduce(operation),
            "stablehlo.reduce_window" => self.reduce_window(operation),
            "stablehlo.sort" => self.sort(operation),
            "stablehlo.while" => self.while_loop(operation),
            "stablehlo.case" => self.case(operation),
            "stablehlo.if" => self.if_else(operation),
            "func.call" => {
                let callee = operation.string("callee")?.to_string();
                self.call(operation, &callee, &operation.operands)
            }
            "stablehlo.rng_bit_generator" => self.rng_bit_generator(operation),
            "stablehlo.composite" => self.composite(operation),
            "stablehlo.optimization_barrier" => {
                let inputs = self.values(&operation.operands)?;
                self.builder().try_emit(Op::OptimizationBarrier, &inputs)
            }
            "stablehlo.cholesky" | "stablehlo.triangular_solve" | "stablehlo.fft" => self.linalg(operation),
            "stablehlo.custom_call" => self.custom_call(operation),
            "stablehlo.after_all" | "stablehlo.create_token" => Ok(vec![]),
            "stablehlo.partition_id" | "stablehlo.replica_id" => Ok(vec![Scalar::zero(rjax_ir::DType::U32).into()]),
            _ => Err(unsupported(operation, "this operation")),
        }
    }

    fn composite(&mut self, operation: &Operation) -> Result<Vec<Atom>> {
        let name = operation.string("name")?.to_string();
        if let Some(outputs) = self.chlo(&name, operation)? {
            return Ok(outputs);
        }
        let callee = operation.string("decomposition")?.to_string();
        self.call(operation, &callee, &operation.operands)
    }

    fn custom_call(&mut self, operation: &Operation) -> Result<Vec<Atom>> {
        let target = operation.string("call_target_name")?.to_string();
        match target.as_str() {
            "Sharding"
            | "SPMDFullToShardShape"
            | "SPMDShardToFullShape"
            | "annotate_device_placement"
            | "xla.sdy.FuncResultSharding"
            | "LayoutConstraint" => self.values(&operation.operands),
            target if target.starts_with("check.expect_") => {
                self.check(operation, target)?;
                Ok(vec![])
            }
            "ApproxTopK" => self.approximate_top_k(operation),
            target => {
                // `lapack_`, a letter for the type, the routine, `_ffi`.
                let routine = target.strip_prefix("lapack_").and_then(|rest| rest.strip_suffix("_ffi"));
                if let Some(routine) = routine.and_then(|routine| routine.get(1..))
                    && let Some(outputs) = self.lapack(routine, operation)?
                {
                    return Ok(outputs);
                }
                Err(unsupported(operation, &format!("custom call {target}")))
            }
        }
    }

    fn check(&mut self, operation: &Operation, target: &str) -> Result<()> {
        let kind = match target.trim_start_matches("check.").trim_end_matches("_const") {
            "expect_eq" => CheckKind::Eq,
            "expect_close" => {
                CheckKind::Close { max_ulps: operation.float_or("max_ulp_difference", 3.0)?.max(0.0) as u64 }
            }
            "expect_almost_eq" => CheckKind::AlmostEq { tolerance: operation.float_or("tolerance", 1e-3)? },
            _ => return Err(unsupported(operation, target)),
        };
        ensure!(self.frames.len() == 1, Unsupported, "stablehlo: {target} outside the entry function");
        let mut pair = self.values(&operation.operands)?;
        if let Ok(expected) = operation.dense("value") {
            pair.push(self.constant(expected.clone()));
        }
        ensure!(pair.len() == 2, Malformed, "stablehlo: {target}: expected two values, found {}", pair.len());
        self.checks.push(kind);
        self.frames[0].checked.extend(pair);
        Ok(())
    }
}

fn malformed(operation: &Operation, what: String) -> Error {
    Error::new(ErrorKind::Malformed, format!("{}: {what}", operation.name)).at(&operation.location)
}

fn unsupported(operation: &Operation, what: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("{}: {what} is not supported", operation.name)).at(&operation.location)
}
