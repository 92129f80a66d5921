//! Sums of products by index letters.

use rjax_ir::{Precision, Result, bail, ensure};

use crate::array::{Array, promote_dtypes};
use crate::error::check;
use crate::lax;

/// An operand with a letter for each axis.
struct Term {
    array: Array,
    letters: Vec<char>,
}

/// The Einstein sum of operands: `"ij,jk->ik"`. Letters that are not in the result are summed over; without `->` the result
/// has the letters that occur once, in alphabetic order; `...` stands for broadcast axes. Operands are contracted first to last.
///
/// ```
/// use rjax::prelude::*;
/// let a = jnp::arange(6).reshape([2, 3]);
/// assert_eq!(jnp::einsum("ij->j", &[&a]).to_vec::<i32>(), [3, 5, 7]);
/// assert_eq!(jnp::einsum("ij,kj->ik", &[&a, &a]).to_vec::<i32>(), [5, 14, 14, 50]);
/// ```
#[track_caller]
pub fn einsum(subscripts: &str, operands: &[&Array]) -> Array {
    let (mut terms, output) = check(parse(subscripts, operands));
    for term in &mut terms {
        *term = diagonals(std::mem::replace(term, Term { array: Array::from(0), letters: Vec::new() }));
    }
    check(check_extents(subscripts, &terms));
    let mut terms = terms.into_iter();
    let mut result = terms.next().expect("parse: there is an operand");
    let mut rest: Vec<Term> = terms.collect();
    while !rest.is_empty() {
        let next = rest.remove(0);
        let needed = |c: &char| output.contains(c) || rest.iter().any(|term| term.letters.contains(c));
        result = pair(result, next, needed);
    }
    let summed = sum_letters(result, |c| output.contains(c));
    let permutation: Vec<usize> =
        output.iter().map(|c| summed.letters.iter().position(|d| d == c).expect("parse: outputs occur")).collect();
    lax::transpose(&summed.array, &permutation)
}

/// Letters for broadcast axes, which no subscript can contain.
fn ellipsis_letter(from_last: usize) -> char {
    char::from_u32(0xE000 + from_last as u32).expect("a private code point")
}

fn parse(subscripts: &str, operands: &[&Array]) -> Result<(Vec<Term>, Vec<char>)> {
    let text: String = subscripts.chars().filter(|c| !c.is_whitespace()).collect();
    let (inputs, output) = match text.split_once("->") {
        Some((inputs, output)) => (inputs, Some(output)),
        None => (text.as_str(), None),
    };
    let parts: Vec<&str> = inputs.split(',').collect();
    ensure!(
        parts.len() == operands.len(),
        Structure,
        "einsum: {subscripts:?} is for {} operands, {} were given",
        parts.len(),
        operands.len()
    );
    let arrays = promote_dtypes(operands);
    let mut widest = 0;
    let mut terms = Vec::new();
    for (part, array) in parts.into_iter().zip(arrays) {
        let rank = array.ndim();
        let named = part.replace("...", "").chars().count();
        ensure!(
            named == rank || (part.contains("...") && named <= rank),
            Shape,
            "einsum: {part:?} does not name the axes of an operand of type {}",
            array.aval()
        );
        widest = widest.max(rank - named);
        terms.push(Term { letters: expand(subscripts, part, rank - named)?, array });
    }
    let output = match output {
        Some(output) => expand(subscripts, output, if output.contains("...") { widest } else { 0 })?,
        None => {
            let all: Vec<char> = terms.iter().flat_map(|term| term.letters.iter().copied()).collect();
            let mut once: Vec<char> = (0..widest).rev().map(ellipsis_letter).collect();
            let mut letters: Vec<char> = all
                .iter()
                .copied()
                .filter(|c| c.is_alphabetic() && all.iter().filter(|d| *d == c).count() == 1)
                .collect();
            letters.sort_unstable();
            once.append(&mut letters);
            once
        }
    };
    for (i, c) in output.iter().enumerate() {
        ensure!(!output[..i].contains(c), Parameter, "einsum: {c:?} occurs twice in the result of {subscripts:?}");
        ensure!(
            terms.iter().any(|term| term.letters.contains(c)),
            Parameter,
            "einsum: {c:?} in the result of {subscripts:?} names no axis of an operand"
        );
    }
    Ok((terms, output))
}

/// The letters of one operand with `...` replaced by letters for `broadcast` axes.
fn expand(subscripts: &str, part: &str, broadcast: usize) -> Result<Vec<char>> {
    let (before, after) = match part.split_once("...") {
        Some((before, after)) => (before, after),
        None => (part, ""),
    };
    let letters = |text: &str| -> Result<Vec<char>> {
        text.chars()
            .map(|c| {
                if c.is_ascii_alphabetic() { Ok(c) } else { bail!(Parameter, "einsum: found {c:?} in {subscripts:?}") }
            })
            .collect()
    };
    let broadcast = if part.contains("...") { broadcast } else { 0 };
    let mut all = letters(before)?;
    all.extend((0..broadcast).rev().map(ellipsis_letter));
    all.extend(letters(after)?);
    Ok(all)
}

/// Takes the diagonal of axes that share a letter.
#[track_caller]
fn diagonals(mut term: Term) -> Term {
    while let Some((i, j)) = (0..term.letters.len())
        .flat_map(|j| (0..j).map(move |i| (i, j)))
        .find(|&(i, j)| term.letters[i] == term.letters[j])
    {
        term.array = super::diagonal(&term.array, 0, i as isize, j as isize);
        let letter = term.letters[i];
        term.letters.remove(j);
        term.letters.remove(i);
        term.letters.push(letter);
    }
    term
}

fn check_extents(subscripts: &str, terms: &[Term]) -> Result<()> {
    let mut known: Vec<(char, usize)> = Vec::new();
    for term in terms {
        for (&c, &extent) in term.letters.iter().zip(term.array.shape().iter()) {
            match known.iter_mut().find(|(d, _)| *d == c) {
                None => known.push((c, extent)),
                Some((_, other)) if *other == 1 || extent == 1 || *other == extent => *other = (*other).max(extent),
                Some((_, other)) => {
                    bail!(Shape, "einsum: the axes named {c:?} in {subscripts:?} have sizes {other} and {extent}")
                }
            }
        }
    }
    Ok(())
}

/// Sums over the axes whose letters are not needed.
#[track_caller]
fn sum_letters(term: Term, needed: impl Fn(&char) -> bool) -> Term {
    let axes: Vec<usize> = (0..term.letters.len()).filter(|&axis| !needed(&term.letters[axis])).collect();
    let letters = term.letters.iter().copied().filter(|c| needed(c)).collect();
    Term { array: lax::reduce_sum(&term.array, &axes), letters }
}

/// Repeats axes of extent 1 to the extent that the other operand gives the same letter.
#[track_caller]
fn widen(x: &Term, y: &Term) -> Term {
    let other = |c: char| y.letters.iter().position(|&d| d == c).map(|axis| y.array.shape()[axis]);
    let own = x.array.shape();
    let axes = x.letters.iter().zip(own.iter());
    let wide = axes.map(|(&c, &extent)| if extent == 1 { other(c).unwrap_or(1) } else { extent }).collect();
    Term { array: x.array.broadcasted(&wide), letters: x.letters.clone() }
}

/// Contracts two operands: letters that both have and nobody needs later are summed, those that both have and somebody needs
/// are batch axes.
#[track_caller]
fn pair(x: Term, y: Term, needed: impl Fn(&char) -> bool) -> Term {
    let x = sum_letters(x, |c| needed(c) || y.letters.contains(c));
    let y = sum_letters(y, |c| needed(c) || x.letters.contains(c));
    let (x, y) = (widen(&x, &y), widen(&y, &x));
    let shared: Vec<char> = x.letters.iter().copied().filter(|c| y.letters.contains(c)).collect();
    let (batch, contracting): (Vec<char>, Vec<char>) = shared.into_iter().partition(|c| needed(c));
    let axes = |term: &Term, letters: &[char]| -> Vec<usize> {
        letters.iter().map(|c| term.letters.iter().position(|d| d == c).expect("a shared letter")).collect()
    };
    let array = lax::dot_general(
        &x.array,
        &y.array,
        (&axes(&x, &contracting), &axes(&y, &contracting)),
        (&axes(&x, &batch), &axes(&y, &batch)),
        Precision::Default,
        None,
    );
    let free =
        |term: &Term| term.letters.iter().copied().filter(|c| !batch.contains(c) && !contracting.contains(c)).collect();
    let (free_x, free_y): (Vec<char>, Vec<char>) = (free(&x), free(&y));
    Term { array, letters: [batch, free_x, free_y].concat() }
}
