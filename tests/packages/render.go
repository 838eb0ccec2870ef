// Renders the templates of a Helm chart, as far as those of deploy/helm go. Standard input and output
// are JSON; real Helm made deploy/kubernetes, with which a test compares.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"
	"text/template"
)

func main() {
	var asked struct {
		Values    map[string]any
		Release   string
		Templates map[string]string
	}
	decoder := json.NewDecoder(os.Stdin)
	decoder.UseNumber()
	if err := decoder.Decode(&asked); err != nil {
		log.Fatal(err)
	}
	functions := template.FuncMap{
		"quote": func(value any) string { return fmt.Sprintf("%q", fmt.Sprint(value)) },
		// JSON is YAML.
		"toYaml": func(value any) (string, error) {
			text, err := json.Marshal(value)
			return string(text), err
		},
		"nindent": func(spaces int, text string) string {
			return "\n" + strings.Repeat(" ", spaces) + text
		},
	}
	data := map[string]any{
		"Values":  asked.Values,
		"Release": map[string]string{"Name": asked.Release},
	}
	rendered := map[string]string{}
	for name, text := range asked.Templates {
		parsed, err := template.New(name).Option("missingkey=error").Funcs(functions).Parse(text)
		if err != nil {
			log.Fatal(err)
		}
		var out bytes.Buffer
		if err := parsed.Execute(&out, data); err != nil {
			log.Fatal(err)
		}
		rendered[name] = out.String()
	}
	if err := json.NewEncoder(os.Stdout).Encode(rendered); err != nil {
		log.Fatal(err)
	}
}
