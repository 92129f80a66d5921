//! Compiled modules against what KIR means.

mod elementwise;
mod functions;
mod loops;
mod module;
mod plans;
mod rows;
mod wide;

use rjax_ir::{Aval, DType, Scalar, Tensor, with_element};
use rjax_kernel::kir::{
    Access, Buffer, BufferId, Class, Expr, Index, Inst, Kernel, KernelId, Loop, Module, Order, Param, ParamId, Range,
    Reg, Space, Stmt, View,
};

use crate::{Executable, Options, compile};

/// Builds one kernel, register by register.
struct KernelBuilder {
    kernel: Kernel,
}

impl KernelBuilder {
    fn new(class: Class, params: &[(DType, usize, Access)], extent: usize) -> KernelBuilder {
        KernelBuilder {
            kernel: Kernel {
                class,
                params: params.iter().map(|&(dtype, len, access)| Param { dtype, len, access }).collect(),
                range: Range { extent, begin: Reg(0), end: Reg(1) },
                registers: vec![DType::I64; 2],
                body: vec![],
            },
        }
    }

    fn reg(&mut self, dtype: DType) -> Reg {
        self.kernel.registers.push(dtype);
        Reg(self.kernel.registers.len() as u32 - 1)
    }

    fn load(&mut self, body: &mut Vec<Inst>, param: u32, index: Index) -> Reg {
        let result = self.reg(self.kernel.params[param as usize].dtype);
        body.push(Inst::Load { result, param: ParamId(param), index, mask: None });
        result
    }

    fn let_(&mut self, body: &mut Vec<Inst>, dtype: DType, value: Expr) -> Reg {
        let result = self.reg(dtype);
        body.push(Inst::Let { result, value });
        result
    }

    fn store(&mut self, body: &mut Vec<Inst>, param: u32, index: Index, value: Reg) {
        body.push(Inst::Store { param: ParamId(param), index, value });
    }

    /// A loop over the kernel's range.
    fn over_range(&mut self, variable: Reg, order: Order, body: Vec<Inst>) -> Inst {
        Inst::Loop(Loop {
            variable,
            begin: Index::reg(self.kernel.range.begin),
            end: Index::reg(self.kernel.range.end),
            carried: vec![],
            order,
            body,
        })
    }
}

/// A module that launches one kernel: its read parameters are the inputs, those it writes the outputs.
fn module_of(kernel: Kernel) -> Module {
    let mut module = Module::default();
    let mut args = Vec::new();
    for param in &kernel.params {
        let aval = Aval::new(param.dtype, [param.len]);
        let id = BufferId(module.buffers.len() as u32);
        let space = if param.access == Access::Read {
            module.inputs.push(aval);
            Space::Input(module.inputs.len() as u32 - 1)
        } else {
            module.outputs.push(aval);
            module.results.push(id);
            Space::Output(module.outputs.len() as u32 - 1)
        };
        module.buffers.push(Buffer { dtype: param.dtype, len: param.len, space });
        args.push(View::whole(id));
    }
    module.kernels.push(kernel);
    module.body.push(Stmt::Launch { kernel: KernelId(0), args });
    module
}

fn build(module: &Module) -> Executable {
    compile(module, &Options::default()).unwrap_or_else(|error| panic!("{error}\n{module}"))
}

/// Elements where something is special, for every dtype.
fn samples(dtype: DType) -> Vec<Scalar> {
    if dtype == DType::Bool {
        return vec![Scalar::zero(dtype), Scalar::one(dtype)];
    }
    if dtype.is_integer() {
        let mut values = vec![Scalar::least(dtype), Scalar::greatest(dtype)];
        values.extend([0, 1, 2, 3, 7, 8, 15, 31, 63, 64, 100, -1, -2, -7, -100].map(|v| Scalar::from_i64(dtype, v)));
        return values;
    }
    let tiny = with_element!(dtype, T => Scalar::new(<T as rjax_ir::Element>::from_bits([1, 0])));
    let largest = match dtype {
        DType::F16 => 65504.0,
        DType::BF16 | DType::F32 => f32::MAX as f64 * 0.99,
        DType::Bool
        | DType::I8
        | DType::I16
        | DType::I32
        | DType::I64
        | DType::U8
        | DType::U16
        | DType::U32
        | DType::U64
        | DType::F64
        | DType::C64
        | DType::C128
        | DType::Narrow(_) => f64::MAX,
    };
    let mut values = vec![tiny];
    values.extend(
        [
            0.0,
            -0.0,
            1.0,
            -1.0,
            0.5,
            -0.5,
            1.5,
            2.5,
            -2.5,
            0.1,
            -0.7,
            3.25,
            1e-3,
            20.7,
            -20.7,
            127.5,
            300.0,
            -300.0,
            65504.0,
            3e9,
            -3e9,
            6e-5,
            3e-8,
            1e-30,
            largest,
            -largest,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
        ]
        .map(|v| Scalar::from_f64(dtype, v)),
    );
    values
}

fn tensor(dtype: DType, values: impl IntoIterator<Item = Scalar>) -> Tensor {
    with_element!(dtype, T => {
        let values: Vec<T> = values.into_iter().map(|s| s.get::<T>()).collect();
        Tensor::from_vec([values.len()], values)
    })
}

/// Whether two elements have the same bits, or are both NaN.
fn same(x: Scalar, y: Scalar) -> bool {
    let nan = |s: Scalar| s.dtype().is_float() && s.to_f64().is_nan();
    x == y || nan(x) && nan(y)
}

/// How many numbers of the dtype lie between two floats that are not NaN.
fn distance(x: Scalar, y: Scalar) -> u64 {
    let key = |s: Scalar| {
        let width = s.dtype().bits();
        let bits = ((s.bits()[0] << (64 - width)) as i64) >> (64 - width);
        // Negative numbers count down from -0, which is 0.
        if bits < 0 { (i64::MIN >> (64 - width)).wrapping_sub(bits) } else { bits }
    };
    key(x).abs_diff(key(y))
}

/// As [`assert_same`], but finite results may be some units in the last place away.
fn assert_near(found: &Tensor, expected: &Tensor, ulps: u32, what: impl Fn(usize) -> String) {
    assert_eq!(found.aval(), expected.aval(), "{}", what(0));
    for i in 0..found.shape().size() {
        let (f, e) = (found.get(i), expected.get(i));
        let near = f.to_f64().is_sign_negative() == e.to_f64().is_sign_negative() && distance(f, e) <= ulps as u64;
        let signed_zeros = f.to_f64() == 0.0 && e.to_f64() == 0.0;
        assert!(
            same(f, e) || near && !signed_zeros && !f.to_f64().is_nan() && !e.to_f64().is_nan(),
            "{}: element {i}: found {f:?}, expected {e:?}, {} apart",
            what(i),
            distance(f, e)
        );
    }
}

fn assert_same(found: &Tensor, expected: &Tensor, what: &str) {
    assert_eq!(found.aval(), expected.aval(), "{what}");
    for i in 0..found.shape().size() {
        let (found, expected) = (found.get(i), expected.get(i));
        assert!(same(found, expected), "{what}: element {i}: found {found:?}, expected {expected:?}");
    }
}
