//! The stages of ahead-of-time compilation: traced, compiled, called.

use std::marker::PhantomData;
use std::sync::Arc;

use rjax_codegen_tpu::Sharding;
use rjax_ir::{Aval, ErrorKind, Program, Result};
use rjax_rewrite::{Cost, Report, Tier};
use rjax_runtime::pjrt::{self, AheadOptions};
use rjax_stablehlo::bytecode::{self, Version};

use super::jit::refuse_open;
use super::rebuild;
use crate::device::{self, Executable, Values};
use crate::fun::{argument_leaves, leaf_name};
use crate::trace::Traced;
use crate::{Args, Array, Tree, tree};

/// A function traced for arguments of some types: see [`Jit::lower`](super::Jit::lower).
pub struct Lowered<I: Args, R: Tree> {
    program: Program,
    captures: Vec<Array>,
    weak: Vec<bool>,
    out: R,
    structure: String,
    mesh: Vec<(Arc<str>, usize)>,
    shardings: Vec<Sharding>,
    tier: Option<Tier>,
    arguments: PhantomData<fn(&I)>,
}

impl<I: Args, R: Tree> Lowered<I, R> {
    #[track_caller]
    pub(super) fn new(
        arguments: I,
        traced: Traced,
        out: R,
        mesh: &[(Arc<str>, usize)],
        tier: Option<Tier>,
    ) -> Lowered<I, R> {
        let Traced { program, captures, weak } = traced;
        refuse_open("the function", &captures);
        Lowered {
            program: program.dce(),
            captures,
            weak,
            out,
            structure: tree::structure(&arguments),
            mesh: mesh.to_vec(),
            shardings: vec![],
            tier,
            arguments: PhantomData,
        }
    }

    /// The program. Captured arrays are its last inputs.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The program as text, which `rjax-opt` reads.
    pub fn as_text(&self) -> String {
        self.program.to_string()
    }

    /// What simplification makes of the program: the rules that fired with their classes, the least exact one behind each
    /// output, and the cost before and after. It prints as a text.
    ///
    /// ```
    /// use rjax::prelude::*;
    /// let x = Array::spec(DType::F32, [3, 3]);
    /// let f = jit(|a: &Array, b: &Array, v: &Array| a.dot(b).dot(v));
    /// let report = f.lower((&x, &x, &Array::spec(DType::F32, [3]))).unwrap().explain().unwrap();
    /// assert_eq!(report.rewrites[0].rule, "reassociate-dots");
    /// assert!(report.to_string().contains("out0: rounding at worst"));
    /// ```
    pub fn explain(&self) -> Result<Report> {
        Ok(self.simplified()?.1)
    }

    /// The program as it is compiled, and what was done to it.
    fn simplified(&self) -> Result<(Program, Report)> {
        match self.tier {
            Some(tier) => device::simplified(&self.program, tier),
            None => {
                let cost = rjax_rewrite::cost(&self.program);
                Ok((self.program.clone(), Report { before: cost, after: cost, ..Report::default() }))
            }
        }
    }

    /// The program after simplification.
    pub fn simplified_program(&self) -> Result<Program> {
        Ok(self.simplified()?.0)
    }

    /// Compiles the program for the current device.
    pub fn compile(self) -> Result<Compiled<I, R>> {
        let executable = Executable::compile(&self.program, &[], device::current(), self.tier)?;
        Ok(Compiled { lowered: self, executable })
    }

    /// Splits the arguments over a mesh of devices, the axes of which have these names and extents: for each leaf of the arguments, in
    /// order, the name of the mesh's axis for each of its axes, or `""` where it is whole. The compiler partitions the
    /// program and adds the communication between devices that it needs.
    ///
    /// ```
    /// use rjax::prelude::*;
    /// let (x, w) = (Array::spec(DType::F32, [8, 4]), Array::spec(DType::F32, [4, 4]));
    /// let lowered = jit(|x: &Array, w: &Array| x.dot(w)).lower((&x, &w)).unwrap();
    /// let text = lowered.in_shardings(&[("data", 4)], &[&["data", ""]]).stablehlo().unwrap();
    /// assert!(text.contains(r#"mhlo.sharding = "{devices=[4,1]<=[4]}""#));
    /// ```
    pub fn in_shardings(mut self, mesh: &[(&str, usize)], arguments: &[&[&str]]) -> Lowered<I, R> {
        self.mesh = mesh.iter().map(|&(name, extent)| (name.into(), extent)).collect();
        let axis = |name: &&str| (!name.is_empty()).then(|| (*name).into());
        self.shardings = arguments.iter().map(|names| names.iter().map(axis).collect()).collect();
        self
    }

    fn export_options(&self) -> rjax_codegen_tpu::Options {
        let (mesh, shardings) = (self.mesh.clone(), self.shardings.clone());
        rjax_codegen_tpu::Options { mesh, shardings, ..Default::default() }
    }

    fn module(&self) -> Result<rjax_stablehlo::mlir::Module> {
        rjax_codegen_tpu::export(&self.program, &self.export_options())
    }

    /// The program as StableHLO text. Captured arrays are its last inputs.
    pub fn stablehlo(&self) -> Result<String> {
        rjax_stablehlo::text::print(&self.module()?)
    }

    /// Compiles the program for TPUs of a topology, such as `v5e:2x2`, with libtpu; no TPU need be there. On a mesh
    /// there is one replica for each of its devices.
    ///
    /// The compiler runs in a process of its own where `rjax-opt` is found ([`AheadOptions::tpu`] says where), otherwise
    /// in this one.
    pub fn compile_for(&self, topology: &str) -> Result<pjrt::Report> {
        let mut options = AheadOptions::tpu(topology)?;
        (options.replicas, options.partitions) = self.export_options().replicas_and_partitions();
        self.compile_ahead(&options)
    }

    /// Compiles the program ahead of time with these options.
    pub fn compile_ahead(&self, options: &AheadOptions) -> Result<pjrt::Report> {
        options.compile(&bytecode::write(&self.module()?, Version::DEFAULT)?)
    }
}

/// A compiled function, which other threads may call too.
pub struct Compiled<I: Args, R: Tree> {
    lowered: Lowered<I, R>,
    executable: Executable,
}

impl<I: Args, R: Tree> Compiled<I, R> {
    /// Calls the function. Arguments must have the trees and types it was compiled for.
    pub fn call(&self, arguments: I::Refs<'_>) -> Result<R> {
        let Lowered { program, captures, weak, out, structure, .. } = &self.lowered;
        let found = tree::structure_of(|v| I::visit_refs(arguments, v));
        rjax_ir::ensure!(
            found == *structure,
            Structure,
            "a compiled function was called with arguments {found}, it was compiled for {structure}"
        );
        let leaves = argument_leaves::<I>(arguments);
        let mut inputs = Values::new();
        for (i, (leaf, expected)) in leaves.iter().zip(program.in_avals()).enumerate() {
            let found: Aval = leaf.aval();
            let kind = if found.dtype == expected.dtype { ErrorKind::Shape } else { ErrorKind::DType };
            if found != expected {
                let name = leaf_name::<I>(arguments, i);
                return Err(rjax_ir::Error::new(
                    kind,
                    format!("a compiled function was called with {found} for {name}, it was compiled for {expected}"),
                ));
            }
            inputs.push(leaf.value("a compiled function")?);
        }
        for captured in captures {
            inputs.push(captured.value("a compiled function")?);
        }
        let outputs = self.executable.run(inputs)?;
        let outputs = outputs.into_iter().zip(weak).map(|(value, &weak)| Array::concrete(value, weak)).collect();
        Ok(rebuild(out, outputs))
    }

    /// What the program does: arithmetic operations, and bytes that its equations read and write, before fusion.
    ///
    /// ```
    /// use rjax::prelude::*;
    /// let (a, b) = (Array::spec(DType::F32, [4, 8]), Array::spec(DType::F32, [8, 2]));
    /// let compiled = jit(|a: &Array, b: &Array| a.dot(b)).lower((&a, &b)).unwrap().compile().unwrap();
    /// assert_eq!(compiled.cost_analysis().flops, 2 * 4 * 8 * 2);
    /// ```
    pub fn cost_analysis(&self) -> Cost {
        rjax_rewrite::cost(&self.lowered.program)
    }

    /// The program that was compiled.
    pub fn program(&self) -> &Program {
        &self.lowered.program
    }
}
