//! Writing and reading `report.json`.

use serde::Deserialize;

use super::{Report, SCHEMA};

/// Why a `report.json` cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// It is not JSON, or a field is missing or of another type.
    #[error(
        "not a report: {0}; the file was cut off or written by something else, `orchestrator resume` writes it anew"
    )]
    Malformed(#[from] serde_json::Error),
    /// It is a report of another version.
    #[error("report of format `{found}`, this program reads `{SCHEMA}`; use the version of orchestrator that wrote it")]
    OtherSchema {
        /// What the file says.
        found: String,
    },
}

impl Report {
    /// The text of `report.json`: indented, fields in the order of the type, newline at the end.
    pub fn to_json(&self) -> String {
        // Strings, numbers and structs only: nothing in a report can fail to serialise.
        let mut text = serde_json::to_string_pretty(self).expect("a report is plain data");
        text.push('\n');
        text
    }

    /// Reads the text of a `report.json`.
    ///
    /// # Errors
    /// When it is of another format version or no report at all.
    pub fn from_json(text: &str) -> Result<Report, ReportError> {
        #[derive(Deserialize)]
        struct Head {
            schema: String,
        }
        let head: Head = serde_json::from_str(text)?;
        if head.schema != SCHEMA {
            return Err(ReportError::OtherSchema { found: head.schema });
        }
        Ok(serde_json::from_str(text)?)
    }

    /// The JSON schema of `report.json`, as kept in `docs/schemas/report.json`.
    pub fn json_schema() -> String {
        let mut text = serde_json::to_string_pretty(&schemars::schema_for!(Report)).expect("a schema is plain data");
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_in_docs_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/schemas/report.json");
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            fs_err::write(path, Report::json_schema()).unwrap();
        }
        let kept = fs_err::read_to_string(path).unwrap();
        assert!(kept == Report::json_schema(), "docs/schemas/report.json is old: run the tests with UPDATE_SCHEMAS=1");
    }

    #[test]
    fn what_is_written_is_read_back() {
        for (name, report) in crate::report::fixtures::all() {
            assert_eq!(Report::from_json(&report.to_json()).unwrap(), report, "{name}");
        }
    }

    #[test]
    fn scripts_find_what_they_are_promised() {
        let json: serde_json::Value = serde_json::from_str(&crate::report::fixtures::findings().to_json()).unwrap();
        let top: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            top[..8],
            ["schema", "series", "verdict", "headline", "trees", "findings", "coverage", "timing"],
            "the order people see"
        );
        assert_eq!(json["schema"], SCHEMA);
        assert_eq!(json["verdict"], "findings");
        let finding = &json["findings"][7];
        assert_eq!(finding["kind"], "test-regressed");
        assert_eq!(finding["patch"]["number"], 2);
        for key in ["tree", "revision", "kconfig", "machine", "test"] {
            assert!(finding[key].is_string(), "{key}");
        }
        assert_eq!(json["builds"][0]["revision"], "base");
        assert_eq!(json["builds"][2]["revision"], "patch 1/6");
    }

    #[test]
    fn another_version_is_refused_by_name() {
        let error = Report::from_json(r#"{"schema": "orchestrator-report/9", "anything": 1}"#).unwrap_err();
        assert!(error.to_string().contains("orchestrator-report/9"), "{error}");
    }

    #[test]
    fn cut_off_file_is_malformed() {
        assert!(matches!(Report::from_json(r#"{"schema": "orch"#), Err(ReportError::Malformed(_))));
        assert!(matches!(Report::from_json(&format!(r#"{{"schema": "{SCHEMA}"}}"#)), Err(ReportError::Malformed(_))));
    }
}
