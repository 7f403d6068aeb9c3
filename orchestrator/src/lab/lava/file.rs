//! What a machine file may say of a device of LAVA's, beyond its types.

use camino::Utf8Path;

use super::definition::template_problems;
use crate::words::Lava;

/// Largest template.
const TEMPLATE_LIMIT: u64 = 256 * 1024;

/// One problem: the path of its key, what is wrong, what to do.
pub(in crate::lab) type FileProblem = (Vec<&'static str>, String, String);

/// Checks a device and puts the text of its template in the place of its file's name. `folder` is the machine file's.
pub(in crate::lab) fn check(lava: &mut Lava, folder: &Utf8Path) -> Vec<FileProblem> {
    let mut problems: Vec<FileProblem> = Vec::new();
    let mut add = |key: &'static str, message: String, hint: &str| {
        problems.push((vec!["lava", key], message, hint.to_owned()));
    };
    for (key, url) in [("url", &lava.url), ("publish_url", &lava.publish_url)] {
        let good = url::Url::parse(url).is_ok_and(|url| {
            let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
            ["http", "https"].contains(&url.scheme()) && plain && url.fragment().is_none()
        });
        if !good {
            add(
                key,
                format!("`{url}` is no address of a web server"),
                "write https://HOST or http://HOST, without a login",
            );
        }
    }
    let word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte));
    if lava.device_type.is_empty() || !word(&lava.device_type) {
        let message = format!("`{}` is no device type", lava.device_type);
        add("device_type", message, "write its name as LAVA shows it, e.g. qemu");
    }
    if lava.token.env.is_some() == lava.token.file.is_some() {
        let hint = "write {env: NAME_OF_A_VARIABLE} or {file: /path}; never the token itself";
        add("token", "needs one of `env` and `file`".to_owned(), hint);
    }
    if !lava.publish_dir.starts_with('/') {
        add(
            "publish_dir",
            format!("`{}` is no absolute path", lava.publish_dir),
            "write the path of a folder on this host",
        );
    }
    if let Some(file) = lava.template.clone() {
        let path = folder.join(&file);
        let size = std::fs::metadata(&path).map(|meta| meta.len());
        match size
            .and_then(|size| if size > TEMPLATE_LIMIT { Ok(None) } else { std::fs::read_to_string(&path).map(Some) })
        {
            Ok(Some(text)) => {
                for problem in template_problems(&text) {
                    add(
                        "template",
                        format!("{path}: {problem}"),
                        "docs/labgrid-and-lava.md lists what a template may say",
                    );
                }
                lava.template = Some(text);
            }
            Ok(None) => {
                add("template", format!("{path} has more than {TEMPLATE_LIMIT} bytes"), "a template is a page of YAML")
            }
            Err(error) => add("template", format!("{path}: {error}"), "name a file beside the machine file"),
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::LabError;
    use crate::words::Hardware;

    fn read(lava: &str, template: &str) -> Result<crate::words::Machine, LabError> {
        let dir = tempfile::tempdir().unwrap();
        let home = Utf8Path::from_path(dir.path()).unwrap();
        fs_err::create_dir_all(home.join("lab")).unwrap();
        fs_err::write(home.join("lab/m.yaml"), format!("name: m\ntags: {{arch: x86_64}}\nlava:\n{lava}")).unwrap();
        fs_err::write(home.join("lab/job.yaml"), template).unwrap();
        crate::lab::machine(home, "m")
    }

    const GOOD: &str = "  url: https://lava.example.org\n  device_type: qemu\n  token: {env: LAVA_TOKEN}\n  \
                        publish_dir: /srv/www\n  publish_url: http://here/files\n";

    #[test]
    fn a_device_holds_the_text_of_its_template() {
        let machine = read(&format!("{GOOD}  template: job.yaml\n"), super::super::definition::BUILT_IN).unwrap();
        let Hardware::Lava(lava) = machine.hardware else { panic!("no device of LAVA's") };
        assert_eq!(lava.template.as_deref(), Some(super::super::definition::BUILT_IN));
        assert!(read(GOOD, "").is_ok());
    }

    #[test]
    fn all_that_is_wrong_is_told_with_its_line() {
        let bad = "  url: lava\n  device_type: 'a b'\n  token: {}\n  publish_dir: www\n  \
                   publish_url: http://u:p@here/\n  template: job.yaml\n";
        let LabError::File(error) = read(bad, "actions: []").unwrap_err() else { panic!("not about the file") };
        let told: Vec<(usize, &str)> = error.problems.iter().map(|one| (one.line, one.message.as_str())).collect();
        for (line, word) in [
            (4, "`lava`"),
            (5, "`a b`"),
            (6, "one of"),
            (7, "`www`"),
            (8, "`http://u:p@here/`"),
            (9, "does not use `{{kernel_url}}`"),
        ] {
            assert!(told.iter().any(|(at, text)| *at == line && text.contains(word)), "{line} {word}: {told:#?}");
        }
        let missing = read(&format!("{GOOD}  template: none.yaml\n"), "").unwrap_err().to_string();
        assert!(missing.contains("none.yaml"), "{missing}");
    }
}
