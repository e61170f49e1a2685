//! The tools as they are offered to a model. Schemas are small on purpose: they stand in every request.

use models::ToolSpec;
use serde_json::{Value, json};

use crate::history::text_tokens;

/// All tools, in the order in which they are offered.
#[must_use]
pub fn specs() -> Vec<ToolSpec> {
    let mut all = file_specs().to_vec();
    all.extend(search_specs());
    all.extend(people_specs());
    all
}

fn spec(name: &str, description: &str, required: &[&str], properties: Value) -> ToolSpec {
    ToolSpec {
        name: name.to_owned(),
        description: description.to_owned(),
        parameters: json!({ "type": "object", "properties": properties, "required": required }),
    }
}

fn file_specs() -> [ToolSpec; 4] {
    [
        spec(
            "bash",
            "Run a command line in the persistent shell, in /workspace at first. Directory and exported variables \
             survive. `background` starts it and returns at once; its output goes to a file that is named.",
            &["command"],
            json!({
                "command": { "type": "string" },
                "timeout_seconds": { "type": "integer", "description": "120 if not given, at most 3600" },
                "background": { "type": "boolean" },
            }),
        ),
        spec(
            "read_file",
            "Read a text file with line numbers, at most 2,000 lines at once.",
            &["path"],
            json!({
                "path": { "type": "string" },
                "offset": { "type": "integer", "description": "first line, from 1" },
                "limit": { "type": "integer", "description": "number of lines" },
            }),
        ),
        spec(
            "write_file",
            "Write a whole file; folders are made, an existing file is replaced.",
            &["path", "content"],
            json!({ "path": { "type": "string" }, "content": { "type": "string" } }),
        ),
        spec(
            "edit_file",
            "Replace a piece of a file. old_string must match exactly, blanks included and line numbers left out, and \
             occur once, unless replace_all is true.",
            &["path", "old_string", "new_string"],
            json!({
                "path": { "type": "string" },
                "old_string": { "type": "string" },
                "new_string": { "type": "string" },
                "replace_all": { "type": "boolean" },
            }),
        ),
    ]
}

fn search_specs() -> [ToolSpec; 2] {
    [
        spec(
            "grep",
            "Search file contents with a regular expression; ignored files and .git are left out.",
            &["pattern"],
            json!({
                "pattern": { "type": "string" },
                "path": { "type": "string", "description": "file or folder" },
                "glob": { "type": "string", "description": "only files like this: *.rs" },
                "ignore_case": { "type": "boolean" },
            }),
        ),
        spec(
            "glob",
            "List files whose path matches a pattern like src/**/*.ts, newest first.",
            &["pattern"],
            json!({ "pattern": { "type": "string" }, "path": { "type": "string", "description": "folder" } }),
        ),
    ]
}

fn people_specs() -> [ToolSpec; 3] {
    [
        spec(
            "ask_user",
            "Ask the user what only the user can decide, in one or two plain sentences. Waits for the answer.",
            &["question"],
            json!({
                "question": { "type": "string" },
                "options": { "type": "array", "items": { "type": "string" }, "description": "the recommended one first" },
                "detail": { "type": "string", "description": "what you found and tried" },
            }),
        ),
        spec(
            "update_tasks",
            "Replace the task list that the user sees.",
            &["tasks"],
            json!({
                "tasks": { "type": "array", "items": {
                    "type": "object",
                    "properties": {
                        "title": { "type": "string" },
                        "state": { "type": "string", "enum": ["open", "active", "done"] },
                    },
                    "required": ["title", "state"],
                } },
            }),
        ),
        spec(
            "narrate",
            "Tell the user in one plain sentence, in the first person, what you are about.",
            &["text"],
            json!({ "text": { "type": "string" } }),
        ),
    ]
}

/// The estimated size of the named tools in a request.
pub(crate) fn tokens(names: &[String]) -> u64 {
    let offered = specs().into_iter().filter(|spec| names.contains(&spec.name));
    offered.map(|spec| text_tokens(&spec.description) + text_tokens(&spec.parameters.to_string()) + 8).sum()
}

/// What a tool expects, in a line.
pub(super) fn hint(tool: &str) -> String {
    let Some(spec) = specs().into_iter().find(|spec| spec.name == tool) else { return String::new() };
    let required: Vec<&str> =
        spec.parameters["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let fields: Vec<String> = spec.parameters["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, field)| {
            let optional = if required.contains(&name.as_str()) { "" } else { "?" };
            format!("{name}{optional}: {}", field["type"].as_str().unwrap_or("any"))
        })
        .collect();
    format!("{tool} expects {{ {} }}.", fields.join(", "))
}

/// Told when there is no such tool.
pub(super) fn unknown_tool(name: &str) -> String {
    let names: Vec<String> = specs().into_iter().map(|spec| spec.name).collect();
    format!("there is no tool `{name}`. The tools are: {}.", names.join(", "))
}
