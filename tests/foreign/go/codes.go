package main

// Codes of refusals, as docs/spec names them.

import "errors"

type coded struct {
	code string
	err  error
}

func (c coded) Error() string { return c.err.Error() }

// as gives an error its code, unless it has one already.
func as(code string, err error) error {
	if err == nil || codeOf(err, "") != "" {
		return err
	}
	return coded{code, err}
}

// refuse makes an error with a code.
func refuse(code, why string) error { return coded{code, errors.New(why)} }

func codeOf(err error, fallback string) string {
	var c coded
	if errors.As(err, &c) {
		return c.code
	}
	return fallback
}
