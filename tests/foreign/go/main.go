// Command verify is a verifier of Muster's signed objects that shares no code with Muster.
//
//	verify FILE.json
//
// reads a vector file of tests/vectors, judges every case and prints one line of JSON for each:
// its name, "ok" or "refused", the step that refuses (or null), and for trust and catalogues the
// version. The exit status is 0 when every case could be judged, whatever the judgement.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

type vectorFile struct {
	Format string `json:"format"`
	Worlds map[string]struct {
		Descriptor string   `json:"descriptor"`
		Trust      []string `json:"trust"`
		Catalogue  *string  `json:"catalogue"`
	} `json:"worlds"`
	Cases []json.RawMessage `json:"cases"`
}

type licenceCase struct {
	Name      string   `json:"name"`
	World     string   `json:"world"`
	Kind      string   `json:"kind"`
	Expected  expected `json:"expected"`
	Bundle    string   `json:"bundle"`
	BundleB64 []byte   `json:"bundle_b64"`
}

type lineCase struct {
	Name      string   `json:"name"`
	Anchor    string   `json:"anchor"`
	Line      []string `json:"line"`
	Catalogue string   `json:"catalogue"`
}

type answer struct {
	Name    string   `json:"name"`
	Result  string   `json:"result"`
	Step    *int     `json:"step"`
	Code    string   `json:"code,omitempty"`
	Group   int      `json:"group,omitempty"`
	Version *int64   `json:"version,omitempty"`
	Hosts   []string `json:"hosts,omitempty"`
	Why     string   `json:"why,omitempty"`
}

func judge(format string, worlds map[string]world, raw []byte) (answer, error) {
	var name string
	var step *int
	var version *int64
	var hosts []string
	var refusal error
	switch format {
	case "licences":
		var c licenceCase
		if err := json.Unmarshal(raw, &c); err != nil {
			return answer{}, err
		}
		w, known := worlds[c.World]
		if !known {
			return answer{}, fmt.Errorf("%s: no world %s", c.Name, c.World)
		}
		data := c.BundleB64
		if data == nil {
			data = []byte(c.Bundle)
		}
		var number int
		number, refusal = verify(w, c.Kind, c.Expected, data)
		name, step = c.Name, &number
		if number == 0 {
			step = nil
		}
	case "trust", "catalogues":
		var c lineCase
		if err := json.Unmarshal(raw, &c); err != nil {
			return answer{}, err
		}
		name = c.Name
		t, err := walk(c.Anchor, c.Line)
		if refusal = err; err == nil {
			version = &t.version
			if format == "catalogues" {
				cat, err := readCatalogue(c.Catalogue, t)
				if refusal = err; err == nil {
					version = &cat.version
				}
			}
		}
	case "grants":
		var c grantCase
		if err := json.Unmarshal(raw, &c); err != nil {
			return answer{}, err
		}
		name, refusal = c.Name, rebuild(c)
	case "confirmations":
		var c confirmationCase
		if err := json.Unmarshal(raw, &c); err != nil {
			return answer{}, err
		}
		name, refusal = c.Name, confirm(c)
	case "terms":
		var c termsCase
		if err := json.Unmarshal(raw, &c); err != nil {
			return answer{}, err
		}
		found, err := readTerms(c)
		name, version, refusal = c.Name, &found, err
	case "sites":
		var c siteCase
		if err := json.Unmarshal(raw, &c); err != nil {
			return answer{}, err
		}
		var number int
		hosts, number, refusal = siteHosts(c)
		name, step = c.Name, &number
		if refusal == nil {
			step = nil
		}
	case "typed":
		var c typedCase
		if err := json.Unmarshal(raw, &c); err != nil {
			return answer{}, err
		}
		name, refusal = c.Name, typed(c)
	case "names":
		var c struct{ Name, Text string }
		if err := json.Unmarshal(raw, &c); err != nil {
			return answer{}, err
		}
		if name = c.Name; !shownRE.MatchString(c.Text) {
			refusal = errors.New("no name for people")
		}
	case "keys":
		var c struct {
			Name string
			JWK  any
		}
		if err := json.Unmarshal(raw, &c); err != nil {
			return answer{}, err
		}
		name = c.Name
		_, refusal = readJWK(c.JWK)
	default:
		return answer{}, fmt.Errorf("unknown format %q", format)
	}
	if refusal != nil {
		group := groupError{}
		errors.As(refusal, &group)
		return answer{name, "refused", step, codeOf(refusal, ""), group.group, nil, nil, refusal.Error()}, nil
	}
	return answer{Name: name, Result: "ok", Version: version, Hosts: hosts}, nil
}

func run(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var file vectorFile
	if err := json.Unmarshal(text, &file); err != nil {
		return err
	}
	worlds := map[string]world{}
	for name, w := range file.Worlds {
		d, err := readDescriptor(w.Descriptor)
		if err != nil {
			return fmt.Errorf("world %s: %w", name, err)
		}
		t := d.trust
		for _, line := range w.Trust {
			if t, err = t.follow(line); err != nil {
				return fmt.Errorf("world %s: %w", name, err)
			}
		}
		worlds[name] = world{descriptor: d, trust: t}
		if w.Catalogue != nil {
			c, err := readCatalogue(*w.Catalogue, t)
			if err != nil {
				return fmt.Errorf("world %s: %w", name, err)
			}
			worlds[name] = world{d, t, c}
		}
	}
	out := json.NewEncoder(os.Stdout)
	for _, raw := range file.Cases {
		line, err := judge(file.Format, worlds, raw)
		if err != nil {
			return err
		}
		if err := out.Encode(line); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: verify FILE.json")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "verify:", err)
		os.Exit(3)
	}
}
