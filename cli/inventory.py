"""`dovetail devices` and `dovetail models`: what the catalogue knows."""

from __future__ import annotations

import argparse
import json

from .arguments import add_catalogue


def add_device_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("device", nargs="?", metavar="ID", help="print every figure of this one, with its source")
    parser.add_argument("--json", action="store_true", help="print figures in base units as JSON alone on stdout")
    add_catalogue(parser)
    parser.set_defaults(do=_do_devices)


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", nargs="?", metavar="ID", help="print this one in full, with its source")
    parser.add_argument("--json", action="store_true", help="print sizes in bytes and shapes as JSON alone on stdout")
    add_catalogue(parser)
    parser.set_defaults(do=_do_models)


def _do_devices(arguments: argparse.Namespace) -> int:
    from ..costmodel.inventory_devices import device_text, devices_json, devices_text
    from ..driver import with_catalogue

    with with_catalogue(arguments.catalogue):
        if arguments.json:
            print(json.dumps(devices_json(arguments.device), indent=2, ensure_ascii=False))
        else:
            print(devices_text() if arguments.device is None else device_text(arguments.device), end="")
    return 0


def _do_models(arguments: argparse.Namespace) -> int:
    from ..costmodel.inventory_models import model_text, models_json, models_text
    from ..driver import with_catalogue

    with with_catalogue(arguments.catalogue):
        if arguments.json:
            print(json.dumps(models_json(arguments.model), indent=2, ensure_ascii=False))
        else:
            print(models_text() if arguments.model is None else model_text(arguments.model), end="")
    return 0
