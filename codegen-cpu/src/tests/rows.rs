//! Chains of launches and products over blocks of rows, against the meaning of their programs.

use rjax_ir::{Atom, Aval, Builder, DType, Program, Reducer, Scalar, Tensor, Unary, eval};
use rjax_kernel::{Options as Planning, interpret, plan};
use rjax_runtime::{set_threads, threads};

use super::build;

/// Numbers between -1 and 1.
fn values(aval: &Aval, seed: u64) -> Tensor {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let values: Vec<f32> = (0..aval.size()).map(|_| next()).collect();
    if aval.dtype == DType::F64 {
        Tensor::from_vec(aval.shape.clone(), values.into_iter().map(f64::from).collect::<Vec<f64>>())
    } else if aval.dtype == DType::BF16 {
        Tensor::from_vec(aval.shape.clone(), values.into_iter().map(half::bf16::from_f32).collect::<Vec<_>>())
    } else {
        assert_eq!(aval.dtype, DType::F32);
        Tensor::from_vec(aval.shape.clone(), values)
    }
}

/// `softmax(mask(q kᵀ)) v` of `(heads, rows, columns, depth)`.
fn attention(b: &mut Builder, [q, k, v]: [Atom; 3], causal: bool) -> Atom {
    let dtype = b.dtype(q);
    let mut scores = b.dot_general(q, k, (&[2], &[2]), (&[0], &[0]), dtype);
    let shape = b.shape(scores);
    if causal {
        let (rows, columns) = (b.iota(DType::I32, &shape, 1), b.iota(DType::I32, &shape, 2));
        let seen = b.compare(rjax_ir::Compare::Ge, rows, columns);
        let never = b.full(&shape, Scalar::from_f64(dtype, f64::NEG_INFINITY));
        scores = b.select(seen, scores, never);
    }
    let largest = b.reduce(Reducer::Max, scores, &[2]);
    let largest = b.broadcast_in_dim(largest, &shape, &[0, 1]);
    let scores = b.sub(scores, largest);
    let weights = b.unary(Unary::Exp, scores);
    let total = b.reduce(Reducer::Sum, weights, &[2]);
    let total = b.broadcast_in_dim(total, &shape, &[0, 1]);
    let weights = b.div(weights, total);
    b.dot_general(weights, v, (&[2], &[1]), (&[0], &[0]), dtype)
}

fn program(dtype: DType, [heads, rows, columns, depth]: [usize; 4], causal: bool) -> Program {
    let mut b = Builder::new();
    let q = b.input(Aval::new(dtype, [heads, rows, depth]));
    let [k, v] = [(); 2].map(|()| b.input(Aval::new(dtype, [heads, columns, depth])));
    let out = attention(&mut b, [q, k, v], causal);
    b.finish(vec![out])
}

/// Compiled and interpreted, in blocks, on any number of threads, the program means the same.
fn check(program: &Program, chains: usize, tolerance: f64) {
    let inputs: Vec<Tensor> = program.in_avals().iter().zip(1..).map(|(aval, i)| values(aval, i)).collect();
    let module = plan(program, &Planning::default()).expect("plans");
    let text = module.to_string();
    assert_eq!(text.matches("  rows ").count(), chains, "{text}");
    let expected = eval(program, &inputs).expect("evaluates");
    let executable = build(&module);
    let before = threads();
    let runs = [1, 3].map(|count| {
        set_threads(count);
        executable.call(&inputs).expect("runs")
    });
    set_threads(before);
    for (one, three) in runs[0].iter().zip(&runs[1]) {
        assert!(one.bits_equal(three), "the number of threads shows");
    }
    for (how, found) in [("compiled", &runs[0]), ("interpreted", &interpret(&module, &inputs))] {
        for (found, expected) in found.iter().zip(&expected) {
            for i in 0..expected.shape().size() {
                let (f, e) = (found.get(i).to_f64(), expected.get(i).to_f64());
                assert!((f - e).abs() <= tolerance * e.abs().max(1.0), "{how} {i}: {f} for {e}");
            }
        }
    }
}

#[test]
fn attention_is_one_chain() {
    check(&program(DType::F32, [4, 128, 600, 9], false), 1, 1e-5);
    check(&program(DType::F32, [3, 192, 500, 16], true), 1, 1e-5);
    check(&program(DType::F32, [1, 1024, 300, 8], true), 1, 1e-5);
    check(&program(DType::F64, [2, 192, 400, 5], true), 1, 1e-12);
    check(&program(DType::BF16, [2, 512, 600, 8], false), 1, 0.02);
}

#[test]
fn small_arrays_and_few_rows_are_no_chain() {
    check(&program(DType::F32, [2, 40, 50, 4], true), 0, 1e-5);
    check(&program(DType::F32, [2, 2, 300, 4], false), 0, 1e-5);
}

#[test]
fn gradients_share_what_they_can() {
    let program = program(DType::F32, [2, 256, 700, 8], true);
    let mut b = Builder::new();
    let inputs: Vec<Atom> = program.in_avals().iter().map(|aval| b.input(aval.clone())).collect();
    let out = b.inline(&program, &inputs)[0];
    let squares = b.mul(out, out);
    let loss = b.reduce_sum(squares, &[0, 1, 2]);
    let gradient = rjax_autodiff::grad(&b.finish(vec![loss]), None).expect("differentiable");
    check(&gradient, 1, 1e-4);
}

#[test]
fn wide_layers_are_chains_with_what_follows() {
    let mut b = Builder::new();
    let x = b.input(Aval::new(DType::F32, [1024, 6]));
    let w = b.input(Aval::new(DType::F32, [6, 700]));
    let bias = b.input(Aval::new(DType::F32, [700]));
    let u = b.input(Aval::new(DType::F32, [700, 3]));
    let y = b.dot_general(x, w, (&[1], &[0]), (&[], &[]), DType::F32);
    let shape = b.shape(y);
    let bias = b.broadcast_in_dim(bias, &shape, &[1]);
    let y = b.add(y, bias);
    let y = b.unary(Unary::Tanh, y);
    let z = b.dot_general(y, u, (&[1], &[0]), (&[], &[]), DType::F32);
    check(&b.finish(vec![z]), 1, 1e-5);
}

/// The weights of a loop are packed once, and what it sums up is summed up in place.
#[test]
fn loops_keep_operands_and_add_in_place() {
    let text = "{ lambda ; w:f32[40,48] h:f32[20,40] g:f32[40,48] xs:f32[5,20,40]. let
        p:f32[20,40] q:f32[40,48] ys:f32[5,20,48] = scan[
          jaxpr={ lambda ; w:f32[40,48] h:f32[20,40] g:f32[40,48] x:f32[20,40]. let
              y:f32[20,48] = dot_general[dimension_numbers=(([1], [0]), ([], [])) preferred_element_type=f32] h w
              z:f32[20,48] = tanh y
              d:f32[40,48] = dot_general[dimension_numbers=(([0], [0]), ([], [])) preferred_element_type=f32] x z
              e:f32[40,48] = add g d
              b:f32[20,40] = dot_general[dimension_numbers=(([1], [1]), ([], [])) preferred_element_type=f32] z w
              c:f32[20,40] = broadcast_in_dim[broadcast_dimensions=() shape=(20, 40)] 0.05:f32
              n:f32[20,40] = mul b c
            in (n, e, z) }
          length=5 num_carry=2 num_consts=1 reverse=False
        ] w h g xs
      in (p, q, ys) }";
    let program = Program::parse(text, "test").unwrap_or_else(|error| panic!("{error}"));
    check(&program, 0, 1e-5);
    let module = plan(&program, &Planning::default()).expect("plans");
    assert_eq!(module.to_string().matches(" += ").count(), 1, "{module}");
    let code = crate::clif_text(&module).expect("compiles");
    assert!(code.contains("gemm_kept") && code.contains("forget"), "{code}");
}
