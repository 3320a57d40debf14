package cli

import (
	"strings"

	"github.com/urfave/cli/v2"
)

var pipelineSchemaVerb = verb{
	name: "schema", short: "print the JSON schema of pipeline files, by which editors complete and check them",
	long: `Name the schema in the first line of a pipeline, as editors with the YAML language server read it:
  # yaml-language-server: $schema=pipeline.schema.json`,
	examples: []string{"graft pipeline schema > pipeline.schema.json"},
	run:      runPipelineSchema,
}

func runPipelineSchema(c *call) error {
	schema := pipelineSchema(c.app.verbs)
	c.JSON(schema)
	if c.Common.JSON {
		return nil
	}
	return writeJSON(c.out, schema)
}

type object = map[string]any

// pipelineSchema describes pipeline files whose steps are verbs of the table.
func pipelineSchema(table []verb) object {
	names, byName := stepVerbs(table)
	value := object{"type": []string{"string", "number", "boolean"}}
	word := object{"anyOf": []any{value, object{"type": "array", "items": value}}}
	name := object{"type": "string", "pattern": `^[A-Za-z0-9_][A-Za-z0-9_-]*$`}
	var rules []any
	for _, n := range names {
		v := byName[n]
		flags, outputs := flagSchema(v, word)
		then := object{"properties": object{
			"flags":   object{"type": "object", "properties": flags, "additionalProperties": false},
			"outputs": object{"type": "object", "properties": outputs, "additionalProperties": false},
			"args":    object{"description": "arguments: " + orNone(v.args)},
		}}
		if least, _ := v.arity(); least > 0 {
			then["required"] = []string{"args"}
		}
		rules = append(rules, object{"if": object{"properties": object{"verb": object{"const": n}}}, "then": then})
	}
	step := object{
		"type": "object", "required": []string{"name", "verb"}, "additionalProperties": false, "allOf": rules,
		"properties": object{
			"name":     described(name, "by which other steps and ${steps.NAME} know it"),
			"verb":     object{"description": "what graft does", "enum": names},
			"args":     described(word, "arguments of the verb; ${inputs.NAME}, ${steps.NAME}, ${steps.NAME.FLAG} and ${matrix.NAME} stand for paths and values"),
			"flags":    object{"description": "flags of the verb, without dashes", "type": "object"},
			"out":      object{"description": "name of the file or folder that the verb writes at --out, in the step's folder", "type": "string"},
			"outputs":  object{"description": "names of files that the verb writes, by the flag that says where", "type": "object", "additionalProperties": object{"type": "string"}},
			"after":    object{"description": "steps to wait for whose outputs are not read", "anyOf": []any{name, object{"type": "array", "items": name}}},
			"allow-no": object{"description": "exit code 1, an answer of no, is a result and no failure", "type": "boolean"},
			"alone":    object{"description": "nothing else runs meanwhile; bench always runs alone", "type": "boolean"},
			"cache":    object{"description": "false: runs every time", "type": "boolean"},
		},
	}
	return object{
		"$schema": "http://json-schema.org/draft-07/schema#", "title": "graft pipeline", "type": "object",
		"required": []string{"steps"}, "additionalProperties": false,
		"properties": object{
			"name":   described(name, "of the pipeline; its file's name unless given"),
			"inputs": object{"description": "files and folders by name, as paths from the pipeline's folder", "type": "object", "propertyNames": name, "additionalProperties": object{"type": "string"}},
			"matrix": object{"description": "axes with their values; a step runs for each cell of the axes that it names, itself or through others", "type": "object",
				"propertyNames": name, "additionalProperties": word},
			"except": object{"description": "cells that are left out", "type": "array", "items": object{"type": "object", "minProperties": 1, "additionalProperties": value}},
			"steps":  object{"type": "array", "minItems": 1, "items": step},
		},
	}
}

func described(schema object, text string) object {
	out := object{"description": text}
	for k, v := range schema {
		out[k] = v
	}
	return out
}

// flagSchema gives the flags that a step of v may have, and those that can be outputs: flags that take a path.
func flagSchema(v *verb, word object) (flags, outputs object) {
	flags, outputs = object{}, object{}
	for _, f := range v.allFlags() {
		name := f.Names()[0]
		s := object{}
		if d, ok := f.(cli.DocGenerationFlag); ok {
			s["description"] = d.GetUsage()
			if !d.TakesValue() {
				s["type"] = "boolean"
			}
		}
		o, _ := f.(*option)
		switch {
		case s["type"] != nil:
		case o != nil && len(o.values) > 0:
			s["anyOf"] = append([]any{object{"enum": o.values}}, word["anyOf"].([]any)...)
		default:
			s["anyOf"] = word["anyOf"]
		}
		if o != nil && (strings.Contains(o.arg, "FILE") || strings.Contains(o.arg, "DIR") || o.arg == "PATH") {
			outputs[name] = object{"type": "string", "description": o.usage}
		}
		if runnersFlags[name] == "" {
			flags[name] = s
		}
	}
	return flags, outputs
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
