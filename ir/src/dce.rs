//! Removal of what nobody needs: equations without a use or effect, and variables that nothing mentions.
//!
//! ```
//! use rjax_ir::{Aval, Builder, DType, Unary};
//! let mut b = Builder::new();
//! let x = b.input(Aval::scalar(DType::F32));
//! let unused = b.unary(Unary::Exp, x);
//! let y = b.unary(Unary::Sin, x);
//! let program = b.finish(vec![y]).dce();
//! assert_eq!((program.eqns.len(), program.avals.len()), (1, 2));
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use crate::{Atom, CustomJvp, CustomLinear, CustomVjp, Eqn, Op, Program, Remat, Scan, Var, While};

impl Program {
    /// The program without equations whose results are not needed, here and in the programs inside ops. Equations with
    /// effects and all inputs are kept, as are the signatures of the programs inside. Variables are renumbered.
    pub fn dce(&self) -> Program {
        self.dce_memoised(&mut HashMap::new())
    }

    /// Programs that several ops share are treated once and stay shared.
    fn dce_memoised(&self, seen: &mut HashMap<*const Program, Arc<Program>>) -> Program {
        let mut needed = vec![false; self.avals.len()];
        let need = |atoms: &[Atom], needed: &mut Vec<bool>| {
            for v in atoms.iter().filter_map(|a| a.var()) {
                needed[v.index()] = true;
            }
        };
        need(&self.outvars, &mut needed);
        let mut eqns: Vec<Eqn> = Vec::new();
        for eqn in self.eqns.iter().rev() {
            if eqn.outputs.iter().any(|v| needed[v.index()]) || eqn.op.has_effect() {
                need(&eqn.inputs, &mut needed);
                let op = eqn.op.map_subprograms(|p| {
                    let key = Arc::as_ptr(p);
                    if let Some(done) = seen.get(&key) {
                        return done.clone();
                    }
                    let done = Arc::new(p.dce_memoised(seen));
                    seen.insert(key, done.clone());
                    done
                });
                eqns.push(Eqn { op, ..eqn.clone() });
            }
        }
        eqns.reverse();
        let consts = self.consts.iter().filter(|(v, _)| needed[v.index()]).cloned().collect();
        let program =
            Program { consts, eqns, outvars: self.outvars.clone(), invars: self.invars.clone(), avals: vec![] };
        program.with_avals_of(self)
    }

    /// Renumbers the variables of `self`, whose types stand in `typed`.
    fn with_avals_of(mut self, typed: &Program) -> Program {
        let mut numbers: Vec<Option<Var>> = vec![None; typed.avals.len()];
        let mut avals = Vec::new();
        let mut define = |v: &mut Var| {
            let number = *numbers[v.index()].get_or_insert_with(|| {
                avals.push(typed.avals[v.index()].clone());
                Var((avals.len() - 1) as u32)
            });
            *v = number;
        };
        self.invars.iter_mut().for_each(&mut define);
        self.consts.iter_mut().for_each(|(v, _)| define(v));
        let rename = |atom: &mut Atom, define: &mut dyn FnMut(&mut Var)| match atom {
            Atom::Var(v) => define(v),
            Atom::Lit(_) => {}
        };
        for eqn in &mut self.eqns {
            eqn.inputs.iter_mut().for_each(|a| rename(a, &mut define));
            eqn.outputs.iter_mut().for_each(&mut define);
        }
        self.outvars.iter_mut().for_each(|a| rename(a, &mut define));
        self.avals = avals;
        self
    }
}

impl Op {
    /// The same op with each program among its parameters replaced, in the order of [`Op::subprograms`].
    pub fn map_subprograms(&self, mut f: impl FnMut(&Arc<Program>) -> Arc<Program>) -> Op {
        let mut op = self.clone();
        match &mut op {
            Op::GeneralReduce { body, .. } | Op::GeneralReduceWindow { body, .. } => *body = f(body),
            Op::Cond { branches } => branches.iter_mut().for_each(|p| *p = f(p)),
            Op::While(While { cond, body, .. }) => {
                *cond = f(cond);
                *body = f(body);
            }
            Op::Scan(Scan { body, .. }) => *body = f(body),
            Op::Call { program, .. } | Op::Remat(Remat { program, .. }) => *program = f(program),
            Op::CustomJvp(CustomJvp { call, jvp, .. }) => {
                *call = f(call);
                *jvp = f(jvp);
            }
            Op::CustomVjp(CustomVjp { call, fwd, bwd, .. }) => {
                *call = f(call);
                *fwd = f(fwd);
                *bwd = f(bwd);
            }
            Op::CustomLinear(CustomLinear { bwd, .. }) => *bwd = f(bwd),
            Op::LinearSolve(solve) => *solve = solve.map_programs(&mut f),
            Op::Root(root) => *root = root.map_programs(&mut f),
            Op::Unary(_)
            | Op::Binary(_)
            | Op::Compare(_)
            | Op::Select
            | Op::Clamp
            | Op::RegularizedIncompleteBeta
            | Op::Convert { .. }
            | Op::Bitcast { .. }
            | Op::ReducePrecision { .. }
            | Op::IntegerPow { .. }
            | Op::StopGradient
            | Op::Name { .. }
            | Op::OptimizationBarrier
            | Op::BroadcastInDim { .. }
            | Op::Reshape { .. }
            | Op::Transpose { .. }
            | Op::Slice(_)
            | Op::Pad { .. }
            | Op::Concatenate { .. }
            | Op::Reverse { .. }
            | Op::Iota { .. }
            | Op::DynamicSlice { .. }
            | Op::DynamicUpdateSlice
            | Op::Gather(_)
            | Op::Scatter(_)
            | Op::Reduce { .. }
            | Op::ArgReduce(_)
            | Op::Cumulative(_)
            | Op::DotGeneral(_)
            | Op::Conv(_)
            | Op::ReduceWindow { .. }
            | Op::SelectAndScatterAdd(_)
            | Op::SelectAndGatherAdd(_)
            | Op::Sort(_)
            | Op::TopK { .. }
            | Op::Linalg(_)
            | Op::Fft(_)
            | Op::Threefry2x32
            | Op::DebugPrint(_)
            | Op::Collective(_) => {}
        }
        op
    }
}

#[cfg(test)]
mod tests {
    use crate::{Aval, DType, Program, Tensor, eval, verify};

    #[test]
    fn only_what_is_needed_or_seen_stays() {
        for (before, after) in [
            (
                "{ lambda ; a:f32[] b:f32[]. let c:f32[] = sin a; d:f32[] = neg c; e:f32[] = exp a in (e, b) }",
                "{ lambda ; a:f32[] b:f32[]. let c:f32[] = exp a in (c, b) }",
            ),
            (
                "{ lambda ; a:f32[4]. let b:f32[2] c:i32[2] = top_k[k=2] a in (c,) }",
                "{ lambda ; a:f32[4]. let _:f32[2] b:i32[2] = top_k[k=2] a in (b,) }",
            ),
            (
                "{ lambda ; a:f32[]. let b:f32[] = sin a; c:f32[] = exp a; debug_print[fmt=\"{}\"] b in (a,) }",
                "{ lambda ; a:f32[]. let b:f32[] = sin a; debug_print[fmt=\"{}\"] b in (a,) }",
            ),
            ("{ lambda c:f32[1]={2.0}; a:f32[]. let b:f32[1] = sin c in (a,) }", "{ lambda ; a:f32[]. let in (a,) }"),
            (
                "{ lambda ; a:f32[]. let
                    b:f32[] = jit[name=f jaxpr={ lambda ; a:f32[] . let b:f32[] = sin a; c:f32[] = exp a in (c,) }] a
                  in (b,) }",
                "{ lambda ; a:f32[]. let
                    b:f32[] = jit[name=f jaxpr={ lambda ; a:f32[] . let b:f32[] = exp a in (b,) }] a
                  in (b,) }",
            ),
        ] {
            let [before, after] = [before, after].map(|text| Program::parse(text, "test").unwrap());
            assert_eq!(before.dce().to_string(), after.to_string());
            assert_eq!(before.dce().dce(), before.dce());
            verify(&before.dce()).unwrap();
            let inputs: Vec<Tensor> = before.in_avals().iter().map(Tensor::zeros).collect();
            let [kept, all] = [before.dce(), before].map(|p| eval(&p, &inputs).unwrap());
            assert!(kept.iter().zip(&all).all(|(x, y)| x.bits_equal(y)));
        }
        assert!(Program { avals: vec![Aval::scalar(DType::F32)], ..Program::default() }.dce().avals.is_empty());
    }
}
