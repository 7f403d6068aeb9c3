//! Kconfig dependency expressions: reading, evaluating, showing with values.

use std::collections::BTreeMap;

use super::fragment::value_of;

/// Deepest nesting of parentheses and negations; the kernel's own go to 4. A patch may write any.
const DEPTH: usize = 64;

/// An expression over symbols.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    /// A symbol, or a constant such as `y` or `"text"`.
    Symbol(String),
    /// `A = B`, `A != B`, `A < B` and so on; the operator as written.
    Compare(String, String, String),
    Not(Box<Expression>),
    And(Vec<Expression>),
    Or(Vec<Expression>),
}

/// `n`, `m`, `y` as 0, 1, 2.
pub(super) type Tristate = u8;

fn tristate(value: &str) -> Tristate {
    match value {
        "y" => 2,
        "m" => 1,
        _ => 0,
    }
}

impl Expression {
    /// Reads an expression; `None` when it is none this reader knows (macro calls), or one that is nested too deeply.
    pub fn parse(text: &str) -> Option<Expression> {
        let tokens = tokens(text)?;
        let mut rest = tokens.as_slice();
        let expression = parse_or(&mut rest, DEPTH)?;
        rest.is_empty().then_some(expression)
    }

    /// Its value in a configuration.
    pub fn evaluate(&self, values: &BTreeMap<String, String>) -> Tristate {
        match self {
            Expression::Symbol(name) => tristate(value(values, name)),
            Expression::Compare(left, operator, right) => {
                let (left, right) = (value(values, left), value(values, right));
                let number = |text: &str| text.trim_matches('"').parse::<i64>().unwrap_or(0);
                let holds = match operator.as_str() {
                    "=" => left == right,
                    "!=" => left != right,
                    "<" => number(left) < number(right),
                    ">" => number(left) > number(right),
                    "<=" => number(left) <= number(right),
                    _ => number(left) >= number(right),
                };
                if holds { 2 } else { 0 }
            }
            Expression::Not(inner) => 2 - inner.evaluate(values),
            Expression::And(terms) => terms.iter().map(|term| term.evaluate(values)).min().unwrap_or(2),
            Expression::Or(terms) => terms.iter().map(|term| term.evaluate(values)).max().unwrap_or(0),
        }
    }

    /// The terms that must all hold.
    pub fn terms(self) -> Vec<Expression> {
        match self {
            Expression::And(terms) => terms,
            Expression::Symbol(_) | Expression::Compare(..) | Expression::Not(_) | Expression::Or(_) => vec![self],
        }
    }

    /// Written with the value of each symbol: `A (=y) && !B (not set)`.
    pub fn show(&self, values: &BTreeMap<String, String>) -> String {
        let join = |terms: &[Expression], operator: &str, nested: fn(&Expression) -> bool| {
            let shown = terms.iter().map(|term| {
                let text = term.show(values);
                if nested(term) { format!("({text})") } else { text }
            });
            shown.collect::<Vec<_>>().join(operator)
        };
        match self {
            Expression::Symbol(name) => match values.get(name) {
                Some(value) => format!("{name} (={value})"),
                None if is_constant(name) => name.clone(),
                None => format!("{name} (not set)"),
            },
            Expression::Compare(left, operator, right) => match values.get(left) {
                Some(value) => format!("{left}{operator}{right} ({left} is {value})"),
                None => format!("{left}{operator}{right} ({left} is not set)"),
            },
            Expression::Not(inner) => match **inner {
                Expression::Symbol(_) | Expression::Compare(..) | Expression::Not(_) => {
                    format!("!{}", inner.show(values))
                }
                Expression::And(_) | Expression::Or(_) => format!("!({})", inner.show(values)),
            },
            Expression::And(terms) => join(terms, " && ", |term| matches!(term, Expression::Or(_))),
            Expression::Or(terms) => join(terms, " || ", |term| matches!(term, Expression::And(_))),
        }
    }
}

fn is_constant(name: &str) -> bool {
    matches!(name, "y" | "n" | "m") || name.starts_with(['"', '\'']) || name.starts_with(|c: char| c.is_ascii_digit())
}

fn value<'a>(values: &'a BTreeMap<String, String>, name: &'a str) -> &'a str {
    if is_constant(name) { name } else { value_of(values, name) }
}

fn tokens(text: &str) -> Option<Vec<&str>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '#' => break,
            '$' => return None,
            '(' | ')' | '=' => 1,
            '&' | '|' if rest.starts_with("&&") || rest.starts_with("||") => 2,
            '!' | '<' | '>' => 1 + usize::from(rest[1..].starts_with('=')),
            '"' | '\'' => rest[1..].find(first)? + 2,
            _ => rest.find(|c: char| !c.is_alphanumeric() && !"_-.".contains(c)).unwrap_or(rest.len()),
        };
        if length == 0 {
            return None;
        }
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    Some(tokens)
}

fn parse_or(rest: &mut &[&str], depth: usize) -> Option<Expression> {
    parse_list(rest, depth, "||", parse_and, Expression::Or)
}

fn parse_and(rest: &mut &[&str], depth: usize) -> Option<Expression> {
    parse_list(rest, depth, "&&", parse_one, Expression::And)
}

fn parse_list(
    rest: &mut &[&str],
    depth: usize,
    operator: &str,
    one: fn(&mut &[&str], usize) -> Option<Expression>,
    join: fn(Vec<Expression>) -> Expression,
) -> Option<Expression> {
    let mut terms = vec![one(rest, depth)?];
    while let Some((&first, after)) = rest.split_first()
        && first == operator
    {
        *rest = after;
        terms.push(one(rest, depth)?);
    }
    if terms.len() == 1 { terms.pop() } else { Some(join(terms)) }
}

fn parse_one(rest: &mut &[&str], depth: usize) -> Option<Expression> {
    let depth = depth.checked_sub(1)?;
    let (&first, after) = rest.split_first()?;
    *rest = after;
    match first {
        "!" => Some(Expression::Not(Box::new(parse_one(rest, depth)?))),
        "(" => {
            let inner = parse_or(rest, depth)?;
            let (&close, after) = rest.split_first()?;
            *rest = after;
            (close == ")").then_some(inner)
        }
        ")" | "&&" | "||" | "=" | "!=" | "<" | ">" | "<=" | ">=" => None,
        name => {
            if let [operator @ ("=" | "!=" | "<" | ">" | "<=" | ">="), right, after @ ..] = *rest {
                *rest = after;
                return Some(Expression::Compare(name.to_owned(), (*operator).to_owned(), (*right).to_owned()));
            }
            Some(Expression::Symbol(name.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> BTreeMap<String, String> {
        [("A", "y"), ("M", "m"), ("N", "16")].map(|(k, v)| (k.to_owned(), v.to_owned())).into()
    }

    #[test]
    fn expressions_evaluate_as_kconfig_does() {
        let cases = [
            ("A", 2),
            ("B", 0),
            ("M", 1),
            ("!M", 1),
            ("A && M", 1),
            ("A && B", 0),
            ("B || M", 1),
            ("!B && (A || B)", 2),
            ("A=y && B!=y", 2),
            ("M=y", 0),
            ("N > 8 && N<=16", 2),
            ("B = n", 2),
            ("A && !(B || M)", 1),
        ];
        for (text, value) in cases {
            assert_eq!(Expression::parse(text).unwrap().evaluate(&values()), value, "{text}");
        }
    }

    #[test]
    fn shown_with_values() {
        let show = |text: &str| Expression::parse(text).unwrap().show(&values());
        assert_eq!(show("A && B"), "A (=y) && B (not set)");
        assert_eq!(show("A && (B || !M)"), "A (=y) && (B (not set) || !M (=m))");
        assert_eq!(show("!(A && B) && N<4"), "!(A (=y) && B (not set)) && N<4 (N is 16)");
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for text in ["", "A &&", "(A", "A B", "$(cc-option,-x)", "&& A", "\"open", "A & B"] {
            assert_eq!(Expression::parse(text), None, "{text}");
        }
    }
}
