//! Graphs as pictures: boxes in layers, each below what it needs, as inline SVG.

use std::fmt::Write;

/// A box and the boxes it needs, all of which stand before it.
pub struct Node {
    pub title: String,
    pub lines: Vec<String>,
    /// A class of the page's style.
    pub style: &'static str,
    pub needs: Vec<usize>,
}

/// More boxes than this are no picture.
pub const MOST: usize = 300;

const CHARACTER: usize = 7;
const LINE: usize = 15;
const MARGIN: usize = 8;
const GAP: usize = 14;
const BETWEEN_LAYERS: usize = 34;

struct Placed {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
}

impl Placed {
    fn middle(&self) -> usize {
        self.x + self.width / 2
    }
}

/// The picture of a graph, or nothing if it is too large for one.
pub fn svg(nodes: &[Node]) -> Option<String> {
    if nodes.is_empty() || nodes.len() > MOST {
        return None;
    }
    let places = place(nodes);
    let width = places.iter().map(|p| p.x + p.width).max().unwrap_or(0) + 1;
    let height = places.iter().map(|p| p.y + p.height).max().unwrap_or(0) + 1;
    let mut text =
        format!("<svg viewBox=\"-1 -1 {} {}\" width=\"{width}\" height=\"{height}\">\n", width + 2, height + 2);
    for (node, to) in nodes.iter().zip(&places) {
        for &need in &node.needs {
            let from = &places[need];
            let (x0, y0, x1, y1) = (from.middle(), from.y + from.height, to.middle(), to.y);
            let half = y1.saturating_sub(y0) / 2;
            let line = format!("M{x0} {y0} C{x0} {} {x1} {} {x1} {y1}", y0 + half, y1 - half.min(y1));
            write_line(&mut text, &format!("<path d=\"{line}\"/>"));
        }
    }
    for (node, Placed { x, y, width, height }) in nodes.iter().zip(&places) {
        let style = node.style;
        write_line(
            &mut text,
            &format!("<rect class=\"{style}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"4\"/>"),
        );
        for (i, line) in std::iter::once(&node.title).chain(&node.lines).enumerate() {
            let weight = if i == 0 { " class=\"title\"" } else { "" };
            let (x, y) = (x + MARGIN, y + MARGIN + LINE * i + 11);
            write_line(&mut text, &format!("<text x=\"{x}\" y=\"{y}\"{weight}>{}</text>", escaped(line)));
        }
    }
    text += "</svg>";
    Some(text)
}

fn write_line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a string takes everything");
}

/// Text inside of a page.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Each box in the first layer below all that it needs, in the order of the middle of those.
fn place(nodes: &[Node]) -> Vec<Placed> {
    let mut layer_of: Vec<usize> = Vec::new();
    for node in nodes {
        layer_of.push(node.needs.iter().map(|&need| layer_of[need] + 1).max().unwrap_or(0));
    }
    let mut layers: Vec<Vec<usize>> = vec![vec![]; layer_of.iter().max().map_or(0, |last| last + 1)];
    // What needs nothing stands right above its first use.
    let mut first_use: Vec<Option<usize>> = vec![None; nodes.len()];
    for (i, node) in nodes.iter().enumerate() {
        for &need in &node.needs {
            first_use[need] = Some(first_use[need].map_or(layer_of[i], |layer| layer.min(layer_of[i])));
        }
    }
    for (i, node) in nodes.iter().enumerate() {
        let lowered = first_use[i].filter(|_| node.needs.is_empty()).map(|layer| layer - 1);
        layers[lowered.unwrap_or(layer_of[i])].push(i);
    }
    let size = |node: &Node| {
        let longest = node.lines.iter().chain([&node.title]).map(|line| line.chars().count()).max().unwrap_or(0);
        (longest * CHARACTER + 2 * MARGIN, (1 + node.lines.len()) * LINE + MARGIN + 4)
    };
    let row_width = |row: &[usize]| row.iter().map(|&i| size(&nodes[i]).0 + GAP).sum::<usize>();
    let widest = layers.iter().map(|row| row_width(row)).max().unwrap_or(0);
    let mut placed: Vec<Placed> =
        nodes.iter().map(|node| Placed { x: 0, y: 0, width: size(node).0, height: size(node).1 }).collect();
    let mut y = 0;
    for row in &mut layers {
        let middle = |i: &usize| {
            let needs = &nodes[*i].needs;
            needs.iter().map(|&need| placed[need].middle()).sum::<usize>() / needs.len().max(1)
        };
        row.sort_by_key(|i| (middle(i), *i));
        let mut x = (widest - row_width(row)) / 2;
        for &i in row.iter() {
            (placed[i].x, placed[i].y) = (x, y);
            x += placed[i].width + GAP;
        }
        y += row.iter().map(|&i| placed[i].height).max().unwrap_or(0) + BETWEEN_LAYERS;
    }
    placed
}
