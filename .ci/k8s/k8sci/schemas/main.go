// Writes JSON schemas for kubeconform, as KIND-GROUP-VERSION.json: schemas FOLDER SWAGGER CRD...
//
// They are strict: an unknown field is an error, as it is for the API server with strict validation.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

const (
	definitions = "definitions.json"
	meta        = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
	intOrString = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
	quantity    = "io.k8s.apimachinery.pkg.api.resource.Quantity"
)

type schema = map[string]any

type kind struct {
	Group, Version, Kind string
}

// fileName returns the name in which kubeconform fills in {{.ResourceKind}}{{.KindSuffix}}.
func (k kind) fileName() string {
	words := []string{k.Kind}
	if k.Group != "" {
		group, _, _ := strings.Cut(k.Group, ".")
		words = append(words, group)
	}
	return strings.ToLower(strings.Join(append(words, k.Version), "-")) + ".json"
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: schemas FOLDER SWAGGER CRD...")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, "schemas:", err)
		os.Exit(1)
	}
}

func write(folder, swagger string, resources []string) error {
	if err := writeBuiltIn(folder, swagger); err != nil {
		return err
	}
	for _, path := range resources {
		if err := writeResource(folder, path); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// writeBuiltIn writes one file with the definitions of Kubernetes, and one that refers to it per kind.
func writeBuiltIn(folder, swagger string) error {
	var document struct {
		Definitions map[string]schema `json:"definitions"`
	}
	if err := read(swagger, &document); err != nil {
		return err
	}
	// The API server accepts numbers for these, too, which OpenAPI 2 cannot say.
	document.Definitions[intOrString] = schema{"type": []string{"string", "integer"}}
	document.Definitions[quantity] = schema{"type": []string{"string", "number"}}
	for name, definition := range document.Definitions {
		for _, found := range kinds(definition) {
			if err := save(folder, found.fileName(), schema{"$ref": reference(name)}); err != nil {
				return err
			}
		}
		makeStrict(definition)
	}
	return save(folder, definitions, document)
}

func reference(name string) string { return definitions + "#/definitions/" + name }

func kinds(definition schema) []kind {
	var found []kind
	listed, _ := definition["x-kubernetes-group-version-kind"].([]any)
	for _, one := range listed {
		names, _ := one.(schema)
		found = append(found, kind{
			Group: fmt.Sprint(names["group"]), Version: fmt.Sprint(names["version"]),
			Kind: fmt.Sprint(names["kind"]),
		})
	}
	return found
}

// writeResource writes the schemas of a CustomResourceDefinition, one per version.
func writeResource(folder, path string) error {
	var definition struct {
		Spec struct {
			Group    string
			Names    struct{ Kind string }
			Versions []struct {
				Name   string
				Schema struct {
					OpenAPIV3Schema schema `json:"openAPIV3Schema"`
				}
			}
		}
	}
	if err := read(path, &definition); err != nil {
		return err
	}
	for _, version := range definition.Spec.Versions {
		whole := version.Schema.OpenAPIV3Schema
		properties, _ := whole["properties"].(schema)
		if properties == nil {
			return fmt.Errorf("version %s has no schema", version.Name)
		}
		properties["metadata"] = schema{"$ref": reference(meta)}
		makeStrict(whole)
		found := kind{definition.Spec.Group, version.Name, definition.Spec.Names.Kind}
		if err := save(folder, found.fileName(), whole); err != nil {
			return err
		}
	}
	return nil
}

// makeStrict forbids unknown fields everywhere below, and allows null where a CRD does.
func makeStrict(value any) {
	switch value := value.(type) {
	case schema:
		for _, below := range value {
			makeStrict(below)
		}
		_, listed := value["properties"].(schema)
		_, decided := value["additionalProperties"]
		open := value["x-kubernetes-preserve-unknown-fields"] == true
		if listed && value["type"] == "object" && !decided && !open {
			value["additionalProperties"] = false
		}
		if name, is := value["type"].(string); is && value["nullable"] == true {
			value["type"] = []string{name, "null"}
		}
		if path, is := value["$ref"].(string); is && strings.HasPrefix(path, "#") {
			value["$ref"] = definitions + path
		}
	case []any:
		for _, below := range value {
			makeStrict(below)
		}
	}
}

func read(path string, document any) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return yaml.Unmarshal(content, document)
}

func save(folder, name string, document any) error {
	content, err := json.Marshal(document)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, name), content, 0o644)
}
