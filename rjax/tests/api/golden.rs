//! Functions against tables of values computed with JAX: `tests/golden/generate.py` writes them.

mod linear;
mod numpy;
mod random;
mod special;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use rjax::prelude::*;

/// A table of expected values by name. Every line must be used.
struct Golden {
    lines: BTreeMap<String, Array>,
    used: RefCell<BTreeSet<String>>,
    wrong: RefCell<Vec<String>>,
}

impl Golden {
    fn new(text: &str) -> Golden {
        let lines = text.lines().map(parse).collect();
        Golden { lines, used: RefCell::default(), wrong: RefCell::default() }
    }

    /// An input that JAX saw.
    fn input(&self, name: &str) -> Array {
        self.expected(&format!("in:{name}"))
    }

    fn expected(&self, name: &str) -> Array {
        let name = name.replace(' ', "_");
        self.used.borrow_mut().insert(name.clone());
        self.lines.get(&name).unwrap_or_else(|| panic!("the table has no line {name}")).clone()
    }

    /// Dtype, shape and values agree, the values within a tolerance relative to their size (absolute below 1).
    fn check(&self, name: &str, found: &Array, tolerance: f64) {
        let expected = self.expected(name);
        let mut wrong = self.wrong.borrow_mut();
        if found.aval() != expected.aval() {
            wrong.push(format!("{name}: found type {}, expected {}", found.aval(), expected.aval()));
            return;
        }
        for (i, (a, b)) in parts(found).into_iter().zip(parts(&expected)).enumerate() {
            if !(a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * b.abs().max(1.0)) {
                wrong.push(format!("{name}: element {i} is {a}, expected {b}"));
                return;
            }
        }
    }

    /// Several results, which the table numbers.
    fn check_all(&self, name: &str, found: &[&Array], tolerance: f64) {
        for (i, found) in found.iter().enumerate() {
            self.check(&format!("{name}.{i}"), found, tolerance);
        }
    }

    fn finish(self) {
        let used = self.used.into_inner();
        let unused: Vec<&String> = self.lines.keys().filter(|name| !used.contains(*name)).collect();
        let wrong = self.wrong.into_inner();
        assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
        assert!(unused.is_empty(), "not looked at: {unused:?}");
    }
}

/// Real and imaginary parts as doubles.
fn parts(x: &Array) -> Vec<f64> {
    if x.dtype().is_complex() {
        return [lax::real(x), lax::imag(x)].iter().flat_map(parts).collect();
    }
    crate::values(x)
}

fn parse(line: &str) -> (String, Array) {
    let mut words = line.split(' ');
    let (name, aval) = (words.next().unwrap(), words.next().unwrap());
    let (dtype, shape) = aval.trim_end_matches(']').split_once('[').unwrap();
    let dtype = DType::ALL.iter().copied().find(|d| d.to_string() == dtype).unwrap();
    let shape: Vec<usize> = shape.split(',').filter(|s| !s.is_empty()).map(|s| s.parse().unwrap()).collect();
    let values: Vec<f64> = words.map(|w| w.parse().unwrap()).collect();
    let array = if dtype.is_complex() {
        let part = |k: usize| Array::from_vec(shape.clone(), values.iter().skip(k).step_by(2).copied().collect());
        let real = if dtype == DType::C64 { DType::F32 } else { DType::F64 };
        lax::complex(part(0).astype(real), part(1).astype(real))
    } else {
        Array::from_vec(shape, values).astype(dtype)
    };
    (name.to_string(), array)
}
