//! `jit`: trace once for each kind of arguments, compile, and call.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

use rjax_ir::{ErrorKind, Op, Precision, Program, Result};
use rjax_rewrite::{Report, Tier};

use super::signature::{Key, KeyWriter};
use super::stages::Lowered;
use super::{rebuild, trace_fun};
use crate::device::{self, Executable, Values};
use crate::error::{self, check, fail_with};
use crate::fun::argument_leaves;
use crate::lax::matmul_precision;
use crate::trace::{self, Input, Scope};
use crate::tree::{Axis, resolve};
use crate::{Args, Array, Device, Fun, IntoFun, Tree, tree};

/// A jitted function: called like the function itself. See [`jit`].
pub struct Jit<'f, I: Args, R: Tree> {
    state: Rc<State<'f, I, R>>,
    call: Fun<'f, I, R>,
}

struct State<'f, I: Args, R: Tree> {
    fun: Fun<'f, I, R>,
    /// The arguments whose buffers the function may take.
    donated: Option<I::Axes>,
    /// Where it runs; without a device, where its arguments are.
    device: Option<Device>,
    /// How far simplification goes; without a tier it does nothing.
    tier: Option<Tier>,
    cache: RefCell<HashMap<Key, Rc<Specialization<R>>, BuildHasherDefault<WordHasher>>>,
    /// One explanation for each miss.
    misses: RefCell<Vec<String>>,
}

/// A function traced for one kind of arguments.
struct Specialization<R> {
    program: Arc<Program>,
    captures: Vec<Array>,
    weak: Vec<bool>,
    /// Good for its structure.
    out: R,
    /// For each leaf of the arguments whether its buffer may be taken.
    donated: Vec<bool>,
    /// What the arguments were, for explanations.
    signature: String,
    device: Device,
    tier: Option<Tier>,
    executable: OnceCell<Executable>,
}

/// Mixes words; keys are short and not chosen by an adversary.
#[derive(Default)]
struct WordHasher(u64);

impl Hasher for WordHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }
}

/// Compiles a function: on the first call with arguments of some dtypes, shapes, tree structure and static values it is traced
/// and compiled as a whole; later calls run the compiled program.
///
/// Rust code inside runs once, while tracing. It cannot look at values; see [`lax::cond`](crate::lax::cond) and
/// [`lax::while_loop`](crate::lax::while_loop).
///
/// ```
/// use rjax::prelude::*;
/// let f = jit(|x: &Array| x.sin() * 2.0);
/// assert_eq!(f(&Array::scalar(0.0f32)).item::<f32>(), 0.0);
/// f(&Array::scalar(1.0f32));
/// assert_eq!(f.cache_misses(), 1);
/// ```
#[track_caller]
pub fn jit<'f, I: Args, R: Tree, M>(f: impl IntoFun<'f, I, R, M>) -> Jit<'f, I, R> {
    Jit::new(f.into_fun(), None, None, Some(Tier::default()))
}

impl<'f, I: Args, R: Tree> Deref for Jit<'f, I, R> {
    type Target = I::DynFn<'f, R>;
    fn deref(&self) -> &Self::Target {
        &self.call
    }
}

impl<'f, I: Args, R: Tree> Clone for Jit<'f, I, R> {
    fn clone(&self) -> Self {
        Jit { state: self.state.clone(), call: self.call.clone() }
    }
}

/// Marks the conversion of a jitted function to a [`Fun`].
pub struct Jitted;

impl<'f, I: Args, R: Tree> IntoFun<'f, I, R, Jitted> for Jit<'f, I, R> {
    fn into_fun(self) -> Fun<'f, I, R> {
        self.call
    }
}

impl<'f, I: Args, R: Tree> IntoFun<'f, I, R, Jitted> for &Jit<'f, I, R> {
    fn into_fun(self) -> Fun<'f, I, R> {
        self.call.clone()
    }
}

impl<'f, I: Args, R: Tree> From<Jit<'f, I, R>> for Fun<'f, I, R> {
    fn from(jit: Jit<'f, I, R>) -> Fun<'f, I, R> {
        jit.call
    }
}

impl<'f, I: Args, R: Tree> Jit<'f, I, R> {
    #[track_caller]
    fn new(fun: Fun<'f, I, R>, donated: Option<I::Axes>, device: Option<Device>, tier: Option<Tier>) -> Jit<'f, I, R> {
        let name = fun.name().clone();
        let state =
            Rc::new(State { fun, donated, device, tier, cache: RefCell::default(), misses: RefCell::default() });
        let inner = state.clone();
        let call = Fun::new(name, move |arguments: I::Refs<'_>| inner.call(arguments));
        Jit { state, call }
    }

    /// Lets the function take the buffers of the arguments that have an axis here (which one does not matter): results may be
    /// written into them, and the arrays cannot be used after the call.
    ///
    /// ```
    /// use rjax::prelude::*;
    /// let step = jit(|state: &Array, x: &Array| state + x).donate(axes![0, _]);
    /// let mut state = jnp::zeros([3], DType::F32);
    /// for _ in 0..3 {
    ///     state = step(&state, &jnp::ones([3], DType::F32));
    /// }
    /// assert_eq!(state.to_vec::<f32>(), [3.0; 3]);
    /// ```
    #[track_caller]
    pub fn donate(self, arguments: I::Axes) -> Jit<'f, I, R> {
        Jit::new(self.state.fun.clone(), Some(arguments), self.state.device, self.state.tier)
    }

    /// Runs the function on a device, whatever the current one is: `jit(f).on(Device::tpu()?)`. Arguments on the host are copied
    /// there, results stay there until they are read or moved.
    ///
    /// ```
    /// use rjax::prelude::*;
    /// let f = jit(|x: &Array| x + 1.0).on(Device::Interpreter);
    /// assert_eq!(f(&jnp::array(1.0f32)).item::<f32>(), 2.0);
    /// ```
    #[track_caller]
    pub fn on(self, device: Device) -> Jit<'f, I, R> {
        Jit::new(self.state.fun.clone(), self.state.donated.clone(), Some(device), self.state.tier)
    }

    /// Says how far simplification may change the bits of the results: `Tier::Strict` not at all, `Tier::Default` within the
    /// error bound of every sum and product, `Tier::Fast` beyond it; `None` compiles the function as it was recorded.
    ///
    /// ```
    /// use rjax::prelude::*;
    /// use rjax::Tier;
    /// let f = jit(|x: &Array| (x * 0.0) + 1.0);
    /// let x = Array::spec(DType::F32, [3]);
    /// assert_eq!(f.explain((&x,)).unwrap().rewrites.len(), 0);
    /// assert_eq!(f.simplify(Tier::Fast).explain((&x,)).unwrap().rewrites[0].rule, "fold-uniform");
    /// ```
    #[track_caller]
    pub fn simplify(self, tier: impl Into<Option<Tier>>) -> Jit<'f, I, R> {
        Jit::new(self.state.fun.clone(), self.state.donated.clone(), self.state.device, tier.into())
    }

    /// What simplification makes of the function for arguments of these types: see [`Lowered::explain`].
    ///
    /// ```
    /// use rjax::prelude::*;
    /// let (a, v) = (Array::spec(DType::F32, [9, 9]), Array::spec(DType::F32, [9]));
    /// let report = jit(|a: &Array, v: &Array| a.dot(a).dot(v)).explain((&a, &v)).unwrap();
    /// assert!(report.after.flops < report.before.flops);
    /// println!("{report}");
    /// ```
    pub fn explain(&self, arguments: I::Refs<'_>) -> Result<Report> {
        self.lower(arguments)?.explain()
    }

    /// The function's name.
    pub fn name(&self) -> &Arc<str> {
        self.call.name()
    }

    /// How often the function was traced anew.
    pub fn cache_misses(&self) -> usize {
        self.state.misses.borrow().len()
    }

    /// For each time the function was traced anew: what its arguments were, and how they differed from those before.
    pub fn explain_cache_misses(&self) -> Vec<String> {
        self.state.misses.borrow().clone()
    }

    /// Calls the function; what an op inside got wrong comes back as an error instead of a panic.
    pub fn try_call(&self, arguments: I::Refs<'_>) -> Result<R> {
        self.call.try_call(arguments)
    }

    /// The program that the function records on arguments of these types. Captured arrays are its constants.
    pub fn trace(&self, arguments: I::Refs<'_>) -> Result<Program> {
        self.state.fun.trace(arguments)
    }

    /// Traces the function for arguments of these types, to be compiled ahead of time. [`Array::spec`]s will do as arguments.
    ///
    /// ```
    /// use rjax::prelude::*;
    /// let f = jit(|x: &Array| x * 2.0);
    /// let compiled = f.lower((&Array::spec(DType::F32, [3]),)).unwrap().compile().unwrap();
    /// let y = compiled.call((&jnp::ones([3], DType::F32),)).unwrap();
    /// assert_eq!(y.to_vec::<f32>(), [2.0; 3]);
    /// ```
    pub fn lower(&self, arguments: I::Refs<'_>) -> Result<Lowered<I, R>> {
        error::catch(|| {
            let scope = Scope::new("jit", self.state.fun.name());
            let (traced, out) = trace_fun(scope, &self.state.fun, arguments, |_, x| Input::unknown(x));
            Lowered::new(I::owned(arguments), traced, out, &[], self.state.tier)
        })
    }

    /// As [`lower`](Jit::lower) for one of several devices in a mesh, whose axes have these names and extents:
    /// [`lax::psum`](crate::lax::psum) and its like along them are between the devices, each of which has arguments of these types.
    ///
    /// ```
    /// use rjax::prelude::*;
    /// let f = jit(|x: &Array| lax::psum(x, "data"));
    /// let lowered = f.lower_on_mesh(&[("data", 4)], (&Array::spec(DType::F32, [8]),)).unwrap();
    /// let text = lowered.stablehlo().unwrap();
    /// assert!(text.contains("all_reduce"));
    /// ```
    pub fn lower_on_mesh(&self, mesh: &[(&str, usize)], arguments: I::Refs<'_>) -> Result<Lowered<I, R>> {
        fn within(mesh: &[(Arc<str>, usize)], f: &mut dyn FnMut()) {
            match mesh {
                [] => f(),
                [(name, extent), rest @ ..] => trace::with_axis(Some(name), *extent, || within(rest, f)),
            }
        }
        let mesh: Vec<(Arc<str>, usize)> = mesh.iter().map(|&(name, extent)| (name.into(), extent)).collect();
        error::catch(|| {
            let scope = Scope::new("jit", self.state.fun.name());
            let mut traced = None;
            within(&mesh, &mut || {
                traced = Some(trace_fun(scope.clone(), &self.state.fun, arguments, |_, x| Input::unknown(x)));
            });
            let (traced, out) = traced.expect("the innermost axis runs it");
            Lowered::new(I::owned(arguments), traced, out, &mesh, self.state.tier)
        })
    }
}

impl<'f, I: Args, R: Tree> State<'f, I, R> {
    fn call(&self, arguments: I::Refs<'_>) -> R {
        let mut writer = KeyWriter::new(self.device.or(device::chosen()));
        I::visit_refs(arguments, &mut writer);
        let (key, leaves, device) = writer.finish();
        let cached = self.cache.borrow().get(&key).cloned();
        let specialization = match cached {
            Some(found) if found.captures.iter().all(trace::is_alive) => found,
            Some(_) | None => {
                let fresh = Rc::new(self.specialize(arguments, device));
                self.cache.borrow_mut().insert(key, fresh.clone());
                fresh
            }
        };
        let outputs = if trace::is_tracing() {
            specialization.record(&self.fun, &leaves)
        } else {
            check(specialization.run(&leaves))
        };
        rebuild(&specialization.out, outputs)
    }

    fn specialize(&self, arguments: I::Refs<'_>, device: Device) -> Specialization<R> {
        let donated = self.donated_leaves(arguments);
        let scope = Scope::new("jit", self.fun.name());
        let (traced, out) = trace_fun(scope, &self.fun, arguments, |_, x| Input::unknown(x));
        let signature = match matmul_precision() {
            Precision::Default => signature::<I>(arguments),
            other @ (Precision::High | Precision::Highest) => {
                format!("{}, products at {other:?}", signature::<I>(arguments))
            }
        };
        self.misses.borrow_mut().push(self.explain(&signature));
        Specialization {
            program: Arc::new(traced.program.dce()),
            captures: traced.captures,
            weak: traced.weak,
            out,
            donated,
            signature,
            device,
            tier: self.tier,
            executable: OnceCell::new(),
        }
    }

    fn donated_leaves(&self, arguments: I::Refs<'_>) -> Vec<bool> {
        let Some(donated) = &self.donated else { return vec![false; argument_leaves::<I>(arguments).len()] };
        let of_argument = |(position, axis): (usize, &Axis)| {
            let name = format!("donate: argument {position}");
            // Which axis is named does not matter, so every leaf counts as having one.
            check(resolve(&name, axis, |v| I::visit_argument(arguments, position, v), |x| x.ndim().max(1)))
        };
        donated.as_ref().iter().enumerate().flat_map(of_argument).map(|axis| axis.is_some()).collect()
    }

    fn explain(&self, signature: &str) -> String {
        let name = self.fun.name();
        let cache = self.cache.borrow();
        let mut known: Vec<&str> = cache.values().map(|s| s.signature.as_str()).collect();
        known.sort_unstable();
        if known.is_empty() {
            format!("`{name}` was called for the first time, with {signature}")
        } else {
            format!("`{name}` was called with {signature}; it had been traced for {}", known.join(" and for "))
        }
    }
}

/// The arguments' structure with the types of the leaves in place.
fn signature<I: Args>(arguments: I::Refs<'_>) -> String {
    let structure = tree::structure_of(|v| I::visit_refs(arguments, v));
    let mut types = argument_leaves::<I>(arguments).into_iter().map(|x| {
        let weak = if x.is_weak() { "weak " } else { "" };
        format!("{weak}{}", x.aval())
    });
    structure
        .split_inclusive('*')
        .map(|part| match part.strip_suffix('*') {
            Some(before) => format!("{before}{}", types.next().unwrap_or_default()),
            None => part.to_string(),
        })
        .collect()
}

impl<R> Specialization<R> {
    /// Records a call in the active trace.
    fn record<I: Args>(&self, fun: &Fun<'_, I, R>, leaves: &[&Array]) -> Vec<Array> {
        let operands: Vec<&Array> = leaves.iter().copied().chain(&self.captures).collect();
        let op = Op::Call { name: fun.name().clone(), program: self.program.clone() };
        let outputs = trace::emit(op, &operands);
        outputs.into_iter().zip(&self.weak).map(|(x, &weak)| x.with_weak(weak)).collect()
    }

    fn run(&self, leaves: &[&Array]) -> Result<Vec<Array>> {
        let executable = match self.executable.get() {
            Some(executable) => executable,
            None => {
                let compiled = Executable::compile(&self.program, &self.donated, self.device, self.tier)?;
                self.executable.get_or_init(|| compiled)
            }
        };
        let take = |(leaf, &donated): (&&Array, &bool)| if donated { leaf.donate() } else { leaf.value("jit") };
        let mut inputs: Values = leaves.iter().zip(&self.donated).map(take).collect::<Result<_>>()?;
        for captured in &self.captures {
            inputs.push(captured.value("jit")?);
        }
        let outputs = executable.run(inputs)?;
        Ok(outputs.into_iter().zip(&self.weak).map(|(value, &weak)| Array::concrete(value, weak)).collect())
    }
}

/// Refuses to compile a function that uses a variable of an outer trace.
#[track_caller]
pub(super) fn refuse_open(name: &str, captures: &[Array]) {
    if let Some(array) = captures.iter().find(|x| x.is_traced()) {
        fail_with(
            ErrorKind::Structure,
            format!("lower: `{name}` uses a variable of an outer trace (type {})", array.aval()),
        )
    }
}
