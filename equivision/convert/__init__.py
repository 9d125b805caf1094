"""Surgery on whole networks: back to modules of torch alone."""

from equivision.convert._freeze import freeze as freeze
