//! What a source tells a hunter.

/// Which columns of a source say who did what to what, from where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clues {
    /// Columns of access keys.
    pub keys: Vec<&'static str>,
    /// Columns of whoever acted: ARNs, names, ids.
    pub principals: Vec<&'static str>,
    /// Columns of one address each.
    pub addresses: Vec<&'static str>,
    /// Columns of text with addresses in it: lists, JSON.
    pub address_lists: Vec<&'static str>,
    /// Columns of what was acted on: an ARN, an id or a name, or a list of ARNs.
    pub resources: Vec<&'static str>,
    /// Columns of JSON in which a key, a principal or a resource may be named anywhere.
    pub mentions: Vec<&'static str>,
    /// The column of the service that was called (`iam.amazonaws.com`).
    pub service: Option<&'static str>,
    /// What was done, in a few words.
    pub what: Template,
    /// How it ended; nothing for success where the log writes nothing then.
    pub outcome: Template,
    /// What rows are counted by when they are too many to be read: [`Clues::what`] unless it says something else.
    pub group: Template,
    /// The column of the user agent.
    pub agent: Option<&'static str>,
    /// The column that names a row.
    pub id: Option<&'static str>,
    /// The column of bytes that were moved.
    pub bytes: Option<&'static str>,
}

/// Text with columns in it: `{verb} {objectRef_resource}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Column(&'static str),
}

impl Template {
    /// One column as it is.
    pub fn column(name: &'static str) -> Self {
        Self(vec![Part::Column(name)])
    }

    /// Reads a template; `column` knows the columns. An error says in words what is wrong.
    pub fn parse(text: &str, column: &dyn Fn(&str) -> Result<&'static str, String>) -> Result<Self, String> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or_else(|| format!("`{text}` has a `{{` without its `}}`"))?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Column(column(name)?));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The template as an expression of SQL: null where a single column is null, `-` for a null among others.
    pub(super) fn sql(&self) -> String {
        match self.0.as_slice() {
            [] => "CAST(NULL AS VARCHAR)".to_owned(),
            [Part::Column(name)] => format!("CAST(\"{name}\" AS VARCHAR)"),
            parts => {
                let parts: Vec<String> = parts
                    .iter()
                    .map(|part| match part {
                        Part::Text(text) => super::text_literal(text),
                        Part::Column(name) => format!("coalesce(CAST(\"{name}\" AS VARCHAR), '-')"),
                    })
                    .collect();
                format!("concat({})", parts.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_become_expressions() {
        let known = |name: &str| match name {
            "verb" => Ok("verb"),
            "bytes" => Ok("bytes"),
            other => Err(format!("there is no column `{other}`")),
        };
        for (text, expected) in [
            ("", Ok("CAST(NULL AS VARCHAR)")),
            ("{verb}", Ok("CAST(\"verb\" AS VARCHAR)")),
            (
                "it's {verb}/{bytes}",
                Ok(
                    "concat('it''s ', coalesce(CAST(\"verb\" AS VARCHAR), '-'), '/', coalesce(CAST(\"bytes\" AS VARCHAR), '-'))",
                ),
            ),
            ("{other}", Err("there is no column `other`")),
            ("{verb", Err("`{verb` has a `{` without its `}`")),
        ] {
            let sql = Template::parse(text, &known).map(|template| template.sql());
            assert_eq!(sql.as_deref().map_err(String::as_str), expected);
        }
    }
}
