//! Formulas as textbooks have them, compiled to what numerical libraries compute: nothing overflows, and derivatives are as good.
//!
//! Each row is a formula as a user writes it and the library's function. Both are called on inputs of a thousand, where the
//! formula as it stands has infinities and NaN, and compared, and so are the gradients of a function of both.

use rjax::prelude::*;
use rjax::scipy::special;
use rjax_ir::{Binary, Op, Unary};

/// A function of a matrix and labels.
type Function = fn(&Array) -> Array;

struct Row {
    name: &'static str,
    formula: Function,
    library: Function,
}

fn labels() -> Array {
    jnp::array([1i32, 0, 4])
}

fn sums(e: &Array) -> Array {
    e.sum(keepdims(-1))
}

const ROWS: &[Row] = &[
    Row { name: "softmax", formula: |x| x.exp() / sums(&x.exp()), library: |x| nn::softmax(x, -1) },
    Row {
        name: "softmax, by an inverse",
        formula: |x| x.exp() * (1.0 / sums(&x.exp())),
        library: |x| nn::softmax(x, -1),
    },
    Row {
        name: "softmax of columns",
        formula: |x| (x.t().exp() / sums(&x.t().exp())).t(),
        library: |x| nn::softmax(x, 0),
    },
    Row {
        name: "softmax at a temperature",
        formula: |x| {
            let e = (x / 3.0).exp();
            &e / sums(&e)
        },
        library: |x| nn::softmax(&(x / 3.0), -1),
    },
    Row { name: "log-softmax", formula: |x| (x.exp() / sums(&x.exp())).log(), library: |x| nn::log_softmax(x, -1) },
    Row {
        name: "log-softmax, as a difference",
        formula: |x| x - sums(&x.exp()).log(),
        library: |x| nn::log_softmax(x, -1),
    },
    Row { name: "log-sum-exp", formula: |x| x.exp().sum(-1).log(), library: |x| nn::logsumexp(x, -1) },
    Row { name: "log-sum-exp of everything", formula: |x| x.exp().sum(..).log(), library: |x| nn::logsumexp(x, ..) },
    Row { name: "log-mean-exp", formula: |x| x.exp().mean(0).log(), library: |x| nn::logmeanexp(x, 0) },
    Row {
        name: "cross-entropy with integer labels",
        formula: |x| {
            let p = x.exp() / sums(&x.exp());
            -(nn::one_hot(&labels(), 5, DType::F32) * p.log()).sum(-1).mean(..)
        },
        library: |x| -(nn::one_hot(&labels(), 5, DType::F32) * nn::log_softmax(x, -1)).sum(-1).mean(..),
    },
    Row {
        name: "attention",
        formula: |x| {
            let e = x.dot(x.t()).exp();
            (&e / sums(&e)).dot(x)
        },
        library: |x| nn::softmax(&x.dot(x.t()), -1).dot(x),
    },
    Row {
        name: "attention, divided at the end",
        formula: |x| {
            let e = x.dot(x.t()).exp();
            e.dot(x) / sums(&e)
        },
        library: |x| nn::softmax(&x.dot(x.t()), -1).dot(x),
    },
    Row { name: "logistic", formula: |x| 1.0 / (1.0 + (-x).exp()), library: |x| nn::sigmoid(x) },
    Row { name: "silu", formula: |x| x / (1.0 + (-x).exp()), library: |x| nn::silu(x) },
    Row { name: "softplus", formula: |x| (1.0 + x.exp()).log(), library: |x| nn::softplus(x) },
    Row { name: "log-logistic", formula: |x| -(1.0 + (-x).exp()).log(), library: |x| nn::log_sigmoid(x) },
    Row {
        name: "log-add-exp",
        formula: |x| (x.exp() + (-x * 0.5).exp()).log(),
        library: |x| jnp::logaddexp(x, &(-x * 0.5)),
    },
    Row { name: "odds", formula: |x| x.exp() / (1.0 + x.exp()), library: |x| special::expit(x) },
];

/// Large numbers of both signs.
fn input(scale: f32) -> Array {
    let values: Vec<f32> = (0..15).map(|i| scale * (((i * 7) % 11) as f32 / 5.0 - 1.0)).collect();
    jnp::array(values).reshape([3, 5])
}

fn close(found: &Array, wanted: &Array, atol: f64) -> bool {
    jnp::allclose(found, wanted, 1e-5, atol).item::<bool>()
}

#[test]
fn formulas_do_not_overflow() {
    let mut failures = vec![];
    for Row { name, formula, library } in ROWS {
        for scale in [1.0, 40.0, 1000.0] {
            let x = input(scale);
            let (found, wanted) = (jit(*formula)(&x), library(&x));
            if !close(&found, &wanted, 1e-5) {
                failures.push(format!("{name} at {scale}: {found}, expected {wanted}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn derivatives_of_formulas_do_not_overflow() {
    let mut failures = vec![];
    for Row { name, formula, library } in ROWS {
        for scale in [1.0, 40.0, 1000.0] {
            let x = input(scale);
            // Values of a thousand have sines that differ.
            let loss = |f: Function| move |x: &Array| (f(x) * 1e-3).sin().sum(..);
            let (found, wanted) = (jit(grad(loss(*formula)))(&x), grad(loss(*library))(&x));
            // The gradient of a score is a difference of numbers about 1, and then a factor of x: one rounding becomes 6e-8 times the
            // scale. The attention that is divided at the end needs it at 1000.
            if !close(&found, &wanted, 1e-5 + 1e-7 * f64::from(scale)) {
                let program = jit(grad(loss(*formula))).lower((&x,)).unwrap();
                let simplified = program.simplified_program().unwrap();
                failures.push(format!("{name} at {scale}: {found}, expected {wanted}\n{simplified}"));
            }
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

/// The stable formula is not made stable again.
#[test]
fn formulas_of_the_library_stay() {
    for Row { name, library, .. } in ROWS {
        let report = jit(*library).explain((&input(1.0),)).unwrap();
        let stable: Vec<&str> = report
            .rewrites
            .iter()
            .filter(|rewrite| rewrite.class == rjax_rewrite::Class::Stable)
            .map(|rewrite| rewrite.rule)
            .collect();
        assert!(stable.is_empty(), "{name}: {stable:?}");
    }
}

/// Layer and root-mean-square norms divide once a row.
#[test]
fn norms_divide_once_a_row() {
    let layer = |x: &Array| {
        let centred = x - x.mean(keepdims(-1));
        &centred / (centred.square().mean(keepdims(-1)) + 1e-5).sqrt()
    };
    let root = |x: &Array| x / (x.square().mean(keepdims(-1)) + 1e-5).sqrt();
    for f in [layer as Function, root] {
        let program = jit(f).lower((&Array::spec(DType::F32, [8, 64]),)).unwrap().simplified_program().unwrap();
        let divisions = |size: usize| {
            let large = |eqn: &&rjax_ir::Eqn| program.aval(eqn.outputs[0]).size() >= size;
            let divides = |op: &Op| matches!(op, Op::Binary(Binary::Div) | Op::Unary(Unary::Sqrt));
            program.eqns.iter().filter(large).filter(|eqn| divides(&eqn.op)).count()
        };
        assert_eq!(divisions(8 * 64), 0, "{program}");
    }
}

/// A loss with integer labels reads one probability a row.
#[test]
fn labels_are_looked_up() {
    let loss =
        |x: &Array, labels: &Array| -(nn::one_hot(labels, 1000, DType::F32) * nn::log_softmax(x, -1)).sum(-1).mean(..);
    let (x, labels) = (Array::spec(DType::F32, [32, 1000]), Array::spec(DType::I32, [32]));
    let program = jit(loss).lower((&x, &labels)).unwrap().simplified_program().unwrap();
    assert!(program.eqns.iter().any(|eqn| matches!(eqn.op, Op::Gather(_))), "{program}");
    // Labels out of range have no probability, as the one-hot array has no one.
    let (x, labels) = (jnp::array([[0.0f32, 1.0], [2.0, 3.0]]), jnp::array([-1i32, 2]));
    let pick = |x: &Array, labels: &Array| (nn::one_hot(labels, 2, DType::F32) * x).sum(-1);
    assert_eq!(jit(pick)(&x, &labels).to_vec::<f32>(), [0.0, 0.0]);
    let embed = |x: &Array, labels: &Array| nn::one_hot(labels, 2, DType::F32).dot(x);
    assert_eq!(jit(embed)(&x, &jnp::array([1i32, 5])).to_vec::<f32>(), [2.0, 3.0, 0.0, 0.0]);
}
