//! Programs to StableHLO modules, which libtpu and other PJRT plugins compile.
//!
//! Ops that StableHLO has become that operation. The others are first rewritten, op by op, to programs of ops that it has
//! (`expand`), so that what consumers see is plain StableHLO without custom calls. Programs inside ops become regions
//! that use the values around them, and each called program becomes one function.
//!
//! ```
//! use rjax_codegen_tpu::export;
//! use rjax_ir::Program;
//! use rjax_stablehlo::text;
//! let program = Program::parse("{ lambda ; a:f32[3]. let b:f32[3] = sin a in (b,) }", "example").unwrap();
//! let module = export(&program, &Default::default()).unwrap();
//! assert!(text::print(&module).unwrap().contains("%0 = stablehlo.sine %arg0 : tensor<3xf32>"));
//! ```

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod collective;
mod control;
mod elementwise;
mod expand;
mod linalg;
mod reduce;
mod sharding;
mod special;
mod structured;
mod windows;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rjax_ir::{Atom, Aval, DType, Error, ErrorKind, Op, Program, Result, Scalar, Shape, Tensor, Var};
use rjax_stablehlo::mlir::{Attribute, Attributes, ElementType, Function, Module, Operation, Region, Type, Value};

pub use sharding::Sharding;

/// Settings of the export.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Inputs whose memory the program may reuse for outputs.
    pub donate: Vec<usize>,
    /// The mesh of devices: names and extents of its axes, the last one varying fastest. Collectives along them
    /// become operations between replicas.
    pub mesh: Vec<(Arc<str>, usize)>,
    /// How inputs are split over the mesh; those beyond the end are whole on every device. Where there are any, the program
    /// is one on whole arrays for all devices together, and consumers partition it. Without any it is one for each device.
    pub shardings: Vec<Sharding>,
}

impl Options {
    /// How many copies of the program run, and in how many parts each of them is.
    pub fn replicas_and_partitions(&self) -> (usize, usize) {
        let devices: usize = self.mesh.iter().map(|(_, extent)| extent).product();
        if self.shardings.is_empty() { (devices.max(1), 1) } else { (1, devices.max(1)) }
    }
}

/// Writes a program as a module with the function `main`.
///
/// Printing and collectives along axes that the mesh does not have are errors that name the op.
pub fn export(program: &Program, options: &Options) -> Result<Module> {
    let mut exporter =
        Exporter { module: Module::default(), options, functions: HashMap::new(), taken: HashSet::new() };
    exporter.taken.insert("main".to_string());
    let (replicas, partitions) = options.replicas_and_partitions();
    exporter.module.attributes.insert("mhlo.num_partitions".into(), Attribute::Int(partitions as i64));
    exporter.module.attributes.insert("mhlo.num_replicas".into(), Attribute::Int(replicas as i64));
    // The entry function comes first; the others are added as they are called.
    exporter.module.functions.push(Function {
        name: "main".into(),
        public: true,
        body: Region::default(),
        results: program.out_avals().iter().map(tensor_type).collect(),
        argument_attributes: argument_attributes(program, options)?,
        result_attributes: vec![],
    });
    let body = exporter.function_body(program)?;
    exporter.module.functions[0].body = body;
    Ok(exporter.module)
}

/// The attributes of the inputs: how they are split, and each donated one is paired with the first output of its type that has no
/// partner yet.
fn argument_attributes(program: &Program, options: &Options) -> Result<Vec<Attributes>> {
    let (inputs, outputs) = (program.in_avals(), program.out_avals());
    let mut attributes = vec![Attributes::new(); inputs.len()];
    for (i, sharding) in options.shardings.iter().enumerate() {
        let Some(aval) = inputs.get(i) else {
            let message = format!("export: there is no input {i} to split; the program has {}", inputs.len());
            return Err(Error::new(ErrorKind::Parameter, message));
        };
        let text = sharding::notation(i, aval, sharding, &options.mesh)?;
        attributes[i].insert("mhlo.sharding".into(), Attribute::String(text));
    }
    let mut free = vec![true; outputs.len()];
    for &input in &options.donate {
        let Some(aval) = inputs.get(input) else {
            let message = format!("export: there is no input {input} to donate; the program has {}", inputs.len());
            return Err(Error::new(ErrorKind::Parameter, message));
        };
        let (name, value) = match (0..outputs.len()).find(|&o| free[o] && outputs[o] == *aval) {
            Some(output) => {
                free[output] = false;
                ("tf.aliasing_output", Attribute::Int(output as i64))
            }
            None => ("jax.buffer_donor", Attribute::Bool(true)),
        };
        attributes[input].insert(name.into(), value);
    }
    Ok(attributes)
}

fn tensor_type(aval: &Aval) -> Type {
    Type::Tensor {
        shape: aval.shape.iter().map(|&extent| Some(extent)).collect(),
        element: ElementType::DType(aval.dtype),
    }
}

fn unsupported(op: &Op, what: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("{}: {what}", op.name()))
}

struct Exporter<'a> {
    module: Module,
    options: &'a Options,
    /// The functions of called programs, by the programs.
    functions: HashMap<Arc<Program>, String>,
    taken: HashSet<String>,
}

/// A block under construction and what its values are.
#[derive(Default)]
struct Block {
    operations: Vec<Operation>,
    /// Constants that stand in this block.
    constants: HashMap<(Scalar, Shape), Value>,
}

/// The values of a program's variables.
type Values = HashMap<Var, Value>;

fn ints(values: impl IntoIterator<Item = impl TryInto<i64>>) -> Attribute {
    Attribute::Array(values.into_iter().map(int).collect())
}

fn int(value: impl TryInto<i64>) -> Attribute {
    Attribute::Int(value.try_into().unwrap_or(i64::MAX))
}

fn pairs(values: &[(i64, i64)]) -> Attribute {
    let flat: Vec<i64> = values.iter().flat_map(|&(low, high)| [low, high]).collect();
    Attribute::Dense(Tensor::from_vec([values.len(), 2], flat))
}

fn name(text: &str) -> Attribute {
    Attribute::String(text.to_string())
}

impl Exporter<'_> {
    fn fresh(&mut self, ty: Type) -> Value {
        self.module.value_types.push(ty);
        Value((self.module.value_types.len() - 1) as u32)
    }

    fn aval(&self, value: Value) -> Aval {
        self.module.value_type(value).aval().expect("the exporter makes only static tensors")
    }

    /// Adds an operation with results of these types.
    fn operation(
        &mut self,
        block: &mut Block,
        name: &str,
        operands: &[Value],
        attributes: Vec<(&str, Attribute)>,
        regions: Vec<Region>,
        results: &[Aval],
    ) -> Vec<Value> {
        let results: Vec<Value> = results.iter().map(|aval| self.fresh(tensor_type(aval))).collect();
        let prefix = if name.contains('.') { "" } else { "stablehlo." };
        block.operations.push(Operation {
            name: format!("{prefix}{name}"),
            attributes: attributes.into_iter().map(|(key, value)| (key.to_string(), value)).collect(),
            operands: operands.to_vec(),
            results: results.clone(),
            regions,
            location: Default::default(),
        });
        results
    }

    /// Adds an operation without attributes and with one result.
    fn simple(&mut self, block: &mut Block, name: &str, operands: &[Value], result: &Aval) -> Value {
        self.operation(block, name, operands, vec![], vec![], std::slice::from_ref(result))[0]
    }

    fn terminator(&mut self, block: &mut Block, operands: &[Value]) {
        self.operation(block, "return", operands, vec![], vec![], &[]);
    }

    fn constant(&mut self, block: &mut Block, tensor: Tensor) -> Value {
        let aval = tensor.aval();
        self.operation(block, "constant", &[], vec![("value", Attribute::Dense(tensor))], vec![], &[aval])[0]
    }

    /// One value everywhere.
    fn full(&mut self, block: &mut Block, value: Scalar, shape: &Shape) -> Value {
        let key = (value, shape.clone());
        if let Some(&known) = block.constants.get(&key) {
            return known;
        }
        let constant = self.constant(block, Tensor::full(shape.clone(), value));
        block.constants.insert(key, constant);
        constant
    }

    fn scalar(&mut self, block: &mut Block, value: Scalar) -> Value {
        self.full(block, value, &Shape::scalar())
    }

    /// A region whose arguments have these types; `write` returns what it returns.
    fn region(
        &mut self,
        arguments: &[Aval],
        write: impl FnOnce(&mut Self, &mut Block, &[Value]) -> Result<Vec<Value>>,
    ) -> Result<Region> {
        let arguments: Vec<Value> = arguments.iter().map(|aval| self.fresh(tensor_type(aval))).collect();
        let mut block = Block::default();
        let outputs = write(self, &mut block, &arguments)?;
        self.terminator(&mut block, &outputs);
        Ok(Region { arguments, operations: block.operations })
    }

    /// The region of a reducer or comparator, which may use nothing from outside.
    fn closed_region(&mut self, program: &Program) -> Result<Region> {
        self.region(&program.in_avals(), |e, block, inputs| e.inline(block, program, inputs))
    }

    fn function_body(&mut self, program: &Program) -> Result<Region> {
        self.region(&program.in_avals(), |e, block, inputs| e.inline(block, program, inputs))
    }

    /// Writes a program's equations into a block and returns its outputs.
    fn inline(&mut self, block: &mut Block, program: &Program, inputs: &[Value]) -> Result<Vec<Value>> {
        let mut values: Values = program.invars.iter().copied().zip(inputs.iter().copied()).collect();
        for (v, tensor) in &program.consts {
            let constant = self.constant(block, tensor.clone());
            values.insert(*v, constant);
        }
        for eqn in &program.eqns {
            let avals: Vec<Aval> = eqn.inputs.iter().map(|&x| program.aval(x)).collect();
            let results: Vec<Aval> = eqn.outputs.iter().map(|&v| program.aval(v)).collect();
            // A repeated scalar is a constant of its own.
            if let (Op::BroadcastInDim { shape, .. }, [Atom::Lit(value)]) = (&eqn.op, &eqn.inputs[..]) {
                let constant = self.full(block, *value, shape);
                values.insert(eqn.outputs[0], constant);
                continue;
            }
            let operands: Vec<Value> = eqn.inputs.iter().map(|&x| self.atom(block, &values, x)).collect();
            let outputs =
                self.equation(block, &eqn.op, &operands, &avals, &results).map_err(|e| e.at(&eqn.location))?;
            debug_assert_eq!(outputs.len(), eqn.outputs.len(), "{}", eqn.op.name());
            values.extend(eqn.outputs.iter().copied().zip(outputs));
        }
        Ok(program.outvars.iter().map(|&x| self.atom(block, &values, x)).collect())
    }

    fn atom(&mut self, block: &mut Block, values: &Values, x: Atom) -> Value {
        match x {
            Atom::Var(v) => values[&v],
            Atom::Lit(value) => self.scalar(block, value),
        }
    }

    fn equation(
        &mut self,
        block: &mut Block,
        op: &Op,
        operands: &[Value],
        inputs: &[Aval],
        results: &[Aval],
    ) -> Result<Vec<Value>> {
        if let Some(program) = expand::expand(op, inputs, results)? {
            return self.inline(block, &program, operands);
        }
        let one = |value: Value| Ok(vec![value]);
        match op {
            Op::Unary(unary) => one(self.unary(block, *unary, operands[0], &results[0])),
            Op::Binary(binary) => one(self.binary(block, *binary, operands, &results[0])),
            Op::Compare(compare) => one(self.compare(block, *compare, operands[0], operands[1])),
            Op::Select => one(self.select(block, operands)),
            Op::Clamp => one(self.simple(block, "clamp", operands, &results[0])),
            Op::Convert { .. } => one(self.simple(block, "convert", operands, &results[0])),
            Op::Bitcast { .. } => one(self.simple(block, "bitcast_convert", operands, &results[0])),
            Op::StopGradient | Op::Name { .. } => one(operands[0]),
            Op::OptimizationBarrier => {
                Ok(self.operation(block, "optimization_barrier", operands, vec![], vec![], results))
            }
            Op::ReducePrecision { .. }
            | Op::BroadcastInDim { .. }
            | Op::Reshape { .. }
            | Op::Transpose { .. }
            | Op::Slice(_)
            | Op::Pad { .. }
            | Op::Concatenate { .. }
            | Op::Reverse { .. }
            | Op::Iota { .. }
            | Op::DotGeneral(_)
            | Op::Conv(_)
            | Op::Gather(_) => one(self.structured(block, op, operands, &results[0])),
            Op::DynamicSlice { sizes } => one(self.dynamic_slice(block, operands, sizes, &results[0])),
            Op::DynamicUpdateSlice => one(self.dynamic_update_slice(block, operands, &results[0])),
            Op::Scatter(scatter) => one(self.scatter(block, scatter, operands, &results[0])?),
            Op::Reduce { reducer, axes } => one(self.reduce(block, *reducer, axes, operands[0], &results[0])?),
            Op::GeneralReduce { body, axes } => {
                let body = self.closed_region(body)?;
                Ok(self.general_reduce(block, body, axes, operands, results))
            }
            Op::ReduceWindow { reducer, window } => {
                one(self.reduce_window(block, *reducer, window, operands[0], &results[0])?)
            }
            Op::GeneralReduceWindow { body, window } => {
                let body = self.closed_region(body)?;
                Ok(self.general_reduce_window(block, body, window, operands, results))
            }
            Op::SelectAndScatterAdd(select) => {
                one(self.select_and_scatter(block, select, operands[0], operands[1], &results[0])?)
            }
            Op::Sort(sort) => self.sort(block, sort, operands, inputs, results),
            Op::TopK { k } => self.top_k(block, *k, operands[0], results),
            Op::Cond { branches } => self.cond(block, branches, operands, results),
            Op::While(while_loop) => self.while_loop(block, while_loop, operands, inputs),
            Op::Scan(scan) => self.scan(block, scan, operands, inputs, results),
            Op::Call { name, program } => self.call(block, name, program, operands, results),
            Op::CustomJvp(custom) => self.inline(block, &custom.call, operands),
            Op::CustomVjp(custom) => self.inline(block, &custom.call, operands),
            Op::LinearSolve(solve) => self.inline(block, &solve.solve, operands),
            Op::Root(root) => self.inline(block, &root.solve, operands),
            Op::Remat(remat) => self.inline(block, &remat.program, operands),
            Op::Collective(collective) => self.collective(block, op, collective, operands, results),
            Op::Linalg(linalg) => one(self.linalg(block, op, *linalg, operands, &results[0])?),
            Op::Fft(fft) => {
                let attributes =
                    vec![("fft_type", name(fft.kind.name())), ("fft_length", ints(fft.lengths.iter().copied()))];
                Ok(self.operation(block, "fft", operands, attributes, vec![], results))
            }
            Op::CustomLinear(_) => Err(unsupported(op, "only transposition can remove it, so it cannot be exported")),
            Op::DebugPrint(_) => Err(unsupported(op, "StableHLO has no operation that prints")),
            Op::RegularizedIncompleteBeta
            | Op::IntegerPow { .. }
            | Op::ArgReduce(_)
            | Op::Cumulative(_)
            | Op::SelectAndGatherAdd(_)
            | Op::Threefry2x32 => unreachable!("{} is always expanded", op.name()),
        }
    }

    /// A call of the function that a program became.
    fn call(
        &mut self,
        block: &mut Block,
        label: &str,
        program: &Arc<Program>,
        operands: &[Value],
        results: &[Aval],
    ) -> Result<Vec<Value>> {
        let function = match self.functions.get(program) {
            Some(function) => function.clone(),
            None => {
                let function = self.unique(label);
                let body = self.function_body(program)?;
                self.module.functions.push(Function {
                    name: function.clone(),
                    public: false,
                    body,
                    results: program.out_avals().iter().map(tensor_type).collect(),
                    argument_attributes: vec![],
                    result_attributes: vec![],
                });
                self.functions.insert(program.clone(), function.clone());
                function
            }
        };
        Ok(self.operation(block, "func.call", operands, vec![("callee", name(&function))], vec![], results))
    }

    /// A name for a function that no other one has.
    fn unique(&mut self, label: &str) -> String {
        let word = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' };
        let mut stem: String = label.chars().map(word).collect();
        if !stem.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            stem.insert(0, '_');
        }
        let numbered = (0..).map(|n| if n == 0 { stem.clone() } else { format!("{stem}_{n}") });
        let unique = numbered.into_iter().find(|name| !self.taken.contains(name)).expect("numbers do not end");
        self.taken.insert(unique.clone());
        unique
    }

    /// Elements converted; the value itself if it has the dtype already.
    fn convert(&mut self, block: &mut Block, x: Value, dtype: DType) -> Value {
        let aval = self.aval(x);
        if aval.dtype == dtype { x } else { self.simple(block, "convert", &[x], &aval.with_dtype(dtype)) }
    }
}
